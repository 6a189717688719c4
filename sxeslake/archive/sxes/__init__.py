"""The sxes group: what a `.plzip` or `.pl7z` means, above whatever container it lies in."""
