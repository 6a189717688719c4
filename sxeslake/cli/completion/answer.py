"""From the words before the cursor to what may stand there. Runs when a shell asks, and only then.

It never speaks: what cannot be completed has no candidates. Commands are found by the same table as when they run, but
only the one on the line is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import click
from click.shell_completion import CompletionItem

from sxeslake.cli.app import App
from sxeslake.cli.completion import shells
from sxeslake.cli.completion.shells import SCRIPTS, Suggestion
from sxeslake.cli.root import SECTIONS, root
from sxeslake.text.safe import visible

_HELP_SIGNS = 70


def respond(instruction: str, program: str, args: Sequence[str]) -> int:
    """Print what a shell asks for, `zsh_complete` or `zsh_source`; the exit code."""
    shell, _, asked = instruction.partition("_")
    if shell not in SCRIPTS or asked not in ("complete", "source"):
        return 1
    if shell == "bash" and asked == "complete" and len(args) != 2:
        return 1  # a script that is not ours
    if asked == "source":
        print(SCRIPTS[shell])  # noqa: T201 - the answer itself
        return 0
    typed = shells.typed(shell, args, os.environ.get("COMP_WORDS", "[]"))
    found = candidates(program, typed.words, typed.incomplete)
    text = shells.answer(shell, found, typed.kept) + "\n"
    sys.stdout.buffer.write(text.encode(sys.stdout.encoding or "utf-8", "surrogateescape"))
    return 0


def candidates(program: str, words: Sequence[str], incomplete: str) -> list[Suggestion]:
    """What may stand in place of the unfinished word behind some words; the words do not hold the program's own."""
    context = root.make_context(program, [], resilient_parsing=True, obj=App(quiet=True))
    line = _CommandLine.of(root, context, words)
    while isinstance(line.command, click.Group) and line.behind:
        name, *rest = line.behind
        command = line.command.get_command(line.context, name)
        if command is None:
            return []
        line = _CommandLine.of(
            command, command.make_context(name, list(rest), parent=line.context, resilient_parsing=True), rest
        )
    return [_shown(item, prefix) for item, prefix in line.items(incomplete) if _can_stand(item)]


@dataclass(slots=True)
class _CommandLine:
    """The words of one command, told apart: which option waits for its value, which arguments are given."""

    command: click.Command
    context: click.Context
    waiting: click.Option | None = None
    options_end: bool = False  # behind `--`
    arguments: int = 0  # that are given
    behind: list[str] = field(default_factory=list)  # of a group: the command, and its words

    @classmethod
    def of(cls, command: click.Command, context: click.Context, words: Sequence[str]) -> _CommandLine:
        line = cls(command, context)
        flags = line.flags()
        at = 0
        while at < len(words):
            word = words[at]
            at += 1
            if line.waiting is not None:
                line.waiting = None
            elif word == "--" and not line.options_end:
                line.options_end = True
            elif word.startswith("-") and word != "-" and not line.options_end:
                line.waiting = _waiting(flags, word)
            elif isinstance(command, click.Group):
                line.behind = list(words[at - 1 :])
                words = words[: at - 1]
                break
            else:
                line.arguments += 1
        done = words[:-1] if line.waiting is not None else words
        parent = context.parent
        line.context = command.make_context(
            context.info_name, list(done), parent=parent, resilient_parsing=True,
            **({} if parent is not None else {"obj": context.obj}),
        )  # fmt: skip
        return line

    def flags(self) -> dict[str, click.Option]:
        options = (each for each in self.command.get_params(self.context) if isinstance(each, click.Option))
        return {flag: option for option in options for flag in (*option.opts, *option.secondary_opts)}

    def items(self, incomplete: str) -> list[tuple[CompletionItem, str]]:
        """What fits, each with what stands before it in the same word: `--lake=`."""
        flag, equals, value = incomplete.partition("=")
        option = self.flags().get(flag) if equals and flag.startswith("--") and not self.options_end else None
        if self.waiting is None and option is not None:
            return [(item, f"{flag}=") for item in option.shell_complete(self.context, value)]
        return [(item, "") for item in self._whole(incomplete)]

    def _whole(self, incomplete: str) -> list[CompletionItem]:
        if self.waiting is not None:
            return self.waiting.shell_complete(self.context, incomplete)
        if incomplete.startswith("-") and not self.options_end:
            return click.Command.shell_complete(self.command, self.context, incomplete)
        if isinstance(self.command, click.Group):
            summaries = _summaries(self.command, self.context)
            return [CompletionItem(name, help=text) for name, text in summaries.items() if name.startswith(incomplete)]
        argument = self._argument()
        found = [] if argument is None else argument.shell_complete(self.context, incomplete)
        # One that begins with a dash is a name only behind `--`.
        return [item for item in found if self.options_end or not str(item.value).startswith("-")]

    def _argument(self) -> click.Argument | None:
        """The argument that comes next."""
        left = self.arguments
        for param in self.command.get_params(self.context):
            if isinstance(param, click.Argument):
                if param.nargs < 0 or left < param.nargs:
                    return param
                left -= param.nargs
        return None


def _summaries(group: click.Group, context: click.Context) -> dict[str, str]:
    """The commands of a group, each with its summary; those of the root without importing them."""
    if group is root:
        return {name: summary for commands in SECTIONS.values() for name, summary in commands.items()}
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: command.get_short_help_str() for name, command in found.items() if command is not None}


def _waiting(flags: dict[str, click.Option], word: str) -> click.Option | None:
    """The option of a word, if its value comes in the next one: `--lake`, `-o`, `-qo`; not `--lake=x`, `-ox`."""
    if word.startswith("--"):
        option = flags.get(word)
        return option if option is not None and _takes_value(option) else None
    for at, sign in enumerate(word[1:], start=2):
        option = flags.get(f"-{sign}")
        if option is not None and _takes_value(option):
            return option if at == len(word) else None
    return None


def _takes_value(option: click.Option) -> bool:
    return not option.is_flag and not option.count


def _can_stand(item: CompletionItem) -> bool:
    """Whether a value can stand on a line and be shown: none with a line end, or another sign that steers terminals."""
    value = str(item.value)
    return item.type in ("file", "dir") or visible(value) == value


def _shown(item: CompletionItem, prefix: str) -> Suggestion:
    text = visible(item.help or "")
    if len(text) > _HELP_SIGNS:
        text = text[: _HELP_SIGNS - 1] + "…"
    return Suggestion(prefix + str(item.value), item.type, text)
