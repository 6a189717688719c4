"""Does the lake hold what its log promises?"""
