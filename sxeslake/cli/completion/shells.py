"""What a shell says when Tab is pressed, and what it is answered: the script of each shell, words, quoting. Pure.

A script calls `sxeslake` with `_SXESLAKE_COMPLETE` set and what stands before the cursor as arguments: the words, the
last of them unfinished (zsh, fish); the line and the piece of it that readline will replace (bash). PowerShell, which
garbles arguments, gives a JSON list of the words in COMP_WORDS. The answer has a candidate a line:

    plain<TAB>value<TAB>help     a whole word
    open<TAB>value<TAB>help      one that goes on, such as a folder: no blank behind it
    file, dir                    the shell's own file names, or folders

PowerShell gets the same as JSON in plain ASCII, values quoted. bash gets values as they are to stand on the line.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Quote = Literal["", "'", '"']


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What may stand at the cursor: `kind` is plain, open, file or dir."""

    value: str
    kind: str = "plain"
    help: str = ""


class Typed(NamedTuple):
    """The words before the cursor without their quotes; `kept` is the start of the last that stays on the line."""

    words: list[str]
    incomplete: str
    kept: str = ""


# --- bash --------------------------------------------------------------------------------------------------------

_PLAIN_SIGNS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@%+:,=-")
_BLANKS: Final = " \t\n"


def bash_typed(line: str, replaced: str) -> Typed:
    """A line up to the cursor, and the end of it that readline will replace with a candidate.

    `sxeslake show ma` → (["sxeslake", "show"], "ma"); readline begins again behind `@`, `=`, `:` and an open quote.
    """
    words: list[str] = []
    start = at = 0
    while at < len(line):
        if line[at] in _BLANKS:
            at += 1
            start = at
            continue
        start = at
        value, _, at = _bash_word(line, at)
        if at == len(line):
            kept = line[start : at - len(replaced)] if line.endswith(replaced) and len(replaced) <= at - start else ""
            return Typed(words, value, kept)
        words.append(value)
    return Typed(words, "")


def _bash_word(line: str, at: int) -> tuple[str, Quote, int]:
    """The word that begins at a place, the quote that is open at its end, and where it ends."""
    value: list[str] = []
    quote: Quote = ""
    while at < len(line):
        sign = line[at]
        after = line[at + 1 : at + 2]
        if quote == "" and sign in _BLANKS:
            break
        if quote == sign:
            quote = ""
        elif quote == "" and sign in "'\"":
            quote = "'" if sign == "'" else '"'
        elif sign == "\\" and (quote == "" or (quote == '"' and after and after in '\\"$`')):
            value.append(after)
            at += 1
        else:
            value.append(sign)
        at += 1
    return "".join(value), quote, min(at, len(line))


def bash_inserted(candidate: str, kept: str) -> str | None:
    """What takes the place of the piece behind `kept`, quoted as that piece is; None where it cannot follow."""
    before, quote, _ = _bash_word(kept, 0)
    if not candidate.startswith(before):
        return None
    rest = candidate[len(before) :]
    if quote:
        text = rest.replace("'", "'\\''") if quote == "'" else "".join(map(_in_double_quotes, rest))
        return text + quote if text.endswith(quote) else text  # else readline closes it
    if not rest and not kept:
        return "''"
    return "".join(sign if sign in _PLAIN_SIGNS or ord(sign) > 0x7F else f"\\{sign}" for sign in rest)


def _in_double_quotes(sign: str) -> str:
    if sign == "!":  # the history's sign, which no backslash hides there
        return '"\\!"'
    return f"\\{sign}" if sign in '\\"$`' else sign


# --- fish, PowerShell --------------------------------------------------------------------------------------------


def fish_word(token: str) -> str:
    """A word of fish without its quotes, which may be open; `$name` and `*` stay as they are."""
    value: list[str] = []
    quote = ""
    at = 0
    while at < len(token):
        sign, after = token[at], token[at + 1 : at + 2]
        if quote == "" and sign in "'\"":
            quote = sign
        elif quote == sign:
            quote = ""
        elif sign == "\\" and (not quote or (after and after in ("\\'" if quote == "'" else '\\"$'))):
            value.append(after)
            at += 1
        else:
            value.append(sign)
        at += 1
    return "".join(value)


_POWERSHELL_PLAIN: Final = _PLAIN_SIGNS - frozenset("@,%")
_POWERSHELL_QUOTES: Final = "'\u2018\u2019\u201a\u201b"  # all of them close a text in single quotes


def powershell_quoted(value: str) -> str:
    """A word as PowerShell reads it: in single quotes, doubled inside, unless it is plain."""
    if value and all(sign in _POWERSHELL_PLAIN or (ord(sign) > 0x7F and sign.isalnum()) for sign in value):
        return value
    return "'" + "".join(sign * 2 if sign in _POWERSHELL_QUOTES else sign for sign in value) + "'"


def powershell_typed(words: str) -> Typed:
    """A JSON list of the words as PowerShell has them, the last one unfinished; a quote may be open in it."""
    try:
        found = json.loads(words)
    except ValueError:
        found = []
    *before, last = [str(word) for word in found] if isinstance(found, list) and found else [""]
    if last[:1] in ("'", '"'):
        quote = last[0]
        inside = last[1:-1] if len(last) > 1 and last.endswith(quote) else last[1:]
        last = inside.replace(quote * 2, quote)
    return Typed(before, last)


# --- answers -----------------------------------------------------------------------------------------------------


def typed(shell: str, args: Sequence[str], comp_words: str) -> Typed:
    """What stands before the cursor, from what the script of a shell passed."""
    if shell == "bash":
        line, replaced = args
        found = bash_typed(line, replaced)
        return found._replace(words=found.words[1:])
    if shell == "powershell":
        return powershell_typed(comp_words)
    *words, incomplete = args or [""]
    return Typed(words, fish_word(incomplete) if shell == "fish" else incomplete)


def answer(shell: str, found: Sequence[Suggestion], kept: str) -> str:
    """Candidates in the words that the script of a shell expects."""
    if shell == "powershell":
        rows = [
            {"kind": each.kind, "text": powershell_quoted(each.value), "name": each.value, "help": each.help}
            for each in found
        ]
        return json.dumps(rows, ensure_ascii=True)
    lines = []
    for each in found:
        value: str | None = each.value
        if shell == "bash" and each.kind in ("plain", "open"):
            value = bash_inserted(each.value, kept)
        if value is not None:
            lines.append(f"{each.kind}\t{value}\t{each.help}".rstrip("\t"))
    return "\n".join(lines)


# --- scripts -----------------------------------------------------------------------------------------------------

_BASH: Final = r"""
_sxeslake_completion() {
    local -a answer
    local line kind value help
    mapfile -t answer < <(
        _SXESLAKE_COMPLETE=bash_complete "${1/#\~/$HOME}" "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null
    )
    COMPREPLY=()
    for line in "${answer[@]}"; do
        IFS=$'\t' read -r kind value help <<< "$line"
        case $kind in
            plain) COMPREPLY+=("$value") ;;
            open) COMPREPLY+=("$value"); compopt -o nospace ;;
            file) compopt -o bashdefault -o default ;;
            dir) compopt -o dirnames ;;
        esac
    done
}
if (( BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404 )); then
    complete -o nosort -F _sxeslake_completion sxeslake
fi
"""

_ZSH: Final = r"""
#compdef sxeslake
_sxeslake_completion() {
    local -a answer fields plain plain_told open open_told
    local line prefix=$PREFIX files=
    case $compstate[quote] in
        \') ;;
        \") prefix=${(Q):-\"$PREFIX\"} ;;
        *) prefix=${(Q)PREFIX} ;;
    esac
    line=$(_SXESLAKE_COMPLETE=zsh_complete ${~${(Q)words[1]}} "${(@Q)words[2,CURRENT-1]}" "$prefix" 2>/dev/null)
    answer=("${(@f)line}")
    for line in "${answer[@]}"; do
        fields=("${(@ps:\t:)line}")
        line=$fields[2]${fields[3]:+"  -- $fields[3]"}
        case $fields[1] in
            plain) plain+=("$fields[2]"); plain_told+=("$line") ;;
            open) open+=("$fields[2]"); open_told+=("$line") ;;
            file) files=-f ;;
            dir) files=-/ ;;
        esac
    done
    (( $#plain )) && compadd -V sxeslake -d plain_told -a plain
    (( $#open )) && compadd -V sxeslake -S '' -d open_told -a open
    if [[ -n $files ]]; then
        [[ $PREFIX == --*=* ]] && compset -P '*='
        _path_files $files
    fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _sxeslake_completion "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
    compdef _sxeslake_completion sxeslake
fi
"""

_FISH: Final = r"""
function _sxeslake_completion
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    for line in (env _SXESLAKE_COMPLETE=fish_complete $program $words "$current" 2>/dev/null)
        set -l fields (string split -m 2 \t -- $line)
        switch $fields[1]
            case plain open
                printf '%s\t%s\n' $fields[2] "$fields[3]"
            case file dir
                set -l option (string match -r '^--[^=]*=' -- $current)
                set -l start (string replace -r '^--[^=]*=' '' -- $current)
                for path in (complete -C "'' $start")
                    if test $fields[1] = file; or string match -q -r '/(\t|$)' -- $path
                        printf '%s%s\n' "$option" $path
                    end
                end
        end
    end
end
complete --no-files --command sxeslake --arguments '(_sxeslake_completion)'
"""

_POWERSHELL: Final = r"""
Register-ArgumentCompleter -Native -CommandName sxeslake -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @()
    foreach ($element in ($commandAst.CommandElements | Select-Object -Skip 1)) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        if ($element -is [System.Management.Automation.Language.StringConstantExpressionAst] -or
            $element -is [System.Management.Automation.Language.ExpandableStringExpressionAst]) {
            $words += $element.Value
        } else {
            $words += $element.Extent.Text
        }
    }
    $words += "$wordToComplete"
    $before = $env:_SXESLAKE_COMPLETE, $env:COMP_WORDS
    $env:_SXESLAKE_COMPLETE = 'powershell_complete'
    $env:COMP_WORDS = ConvertTo-Json -Compress -InputObject @($words)
    try {
        $answer = & $commandAst.GetCommandName() 2>$null
    } catch {
        $answer = $null
    } finally {
        $env:_SXESLAKE_COMPLETE, $env:COMP_WORDS = $before
    }
    if (-not $answer) { return }
    $found = ConvertFrom-Json -InputObject "$answer"
    foreach ($each in $found) {
        if ($each.kind -eq 'file' -or $each.kind -eq 'dir') {
            $option = ''
            $start = "$wordToComplete"
            if ($start -match '^(--[^=]*=)(.*)$') { $option = $Matches[1]; $start = $Matches[2] }
            foreach ($path in [System.Management.Automation.CompletionCompleters]::CompleteFilename($start)) {
                if ($each.kind -eq 'dir' -and $path.ResultType -ne 'ProviderContainer') { continue }
                [System.Management.Automation.CompletionResult]::new(
                    $option + $path.CompletionText, $path.ListItemText, $path.ResultType, $path.ToolTip)
            }
        } else {
            $help = $each.name
            if ($each.help) { $help = $each.help }
            [System.Management.Automation.CompletionResult]::new($each.text, $each.name, 'ParameterValue', $help)
        }
    }
}
"""

SCRIPTS: Final = {
    "bash": _BASH.lstrip(), "zsh": _ZSH.lstrip(), "fish": _FISH.lstrip(), "powershell": _POWERSHELL.lstrip(),
}  # fmt: skip
"""What a shell evaluates once, by its name."""
