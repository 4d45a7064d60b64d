"""Help texts of the commands: plain lines that fit 80 columns, with options by panel."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from cli.errors import EXIT_CODES
from cli.rows import GAP, wrap_words

MAX_WIDTH: Final = 100
MAX_NAME_WIDTH: Final = 26  # of an option before its help text; a longer one has its own line
DEFAULT_PANEL: Final = "Options"
CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])
_METAVARS: Final = {int: "N", float: "X"}


class HelpfulCommand(TyperCommand):
    """A command whose help is plain text."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_join_sections(self, ctx, formatter.width))


class HelpfulGroup(TyperGroup):
    """A group of commands whose help is plain text."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_join_sections(self, ctx, formatter.width))


class ListingGroup(HelpfulGroup):
    """A group whose command ``list`` runs if none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_option = bool(args) and args[0].startswith("-") and args[0] != "--help"
        return super().parse_args(ctx, ["list", *args] if is_option or not args else args)


def _join_sections(command: TyperCommand | TyperGroup, ctx: Any, width: int) -> str:
    width = min(width, MAX_WIDTH)
    names = " ".join(
        ["[OPTIONS]"] + [_format_argument(one) for one in command.params if _is_argument(one)]
    )
    usage = names if isinstance(command, TyperCommand) else "COMMAND …"
    sections = [[f"Usage: {ctx.command_path} {usage}"], list(_format_text(command.help, width))]
    if isinstance(command, TyperGroup):
        sections += _format_commands(command, ctx, width)
    sections += _format_parameters(command, ctx, width)
    if ctx.parent is None:
        codes = [(str(code), text) for code, text in EXIT_CODES.items()]
        sections.append(["Exit codes:", *_format_definitions(codes, width)])
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _format_text(text: str | None, width: int) -> Iterator[str]:
    for index, paragraph in enumerate((text or "").split("\n\n")):
        if index:
            yield ""
        yield from wrap_words(paragraph.split(), width)


def _format_commands(group: TyperGroup, ctx: Any, width: int) -> list[list[str]]:
    panels: dict[str, list[tuple[str, str]]] = {}
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        panel = getattr(command, "rich_help_panel", None)
        title = panel if isinstance(panel, str) else "Commands"
        summary = " ".join((command.help or "").split("\n\n")[0].split()) if command else ""
        panels.setdefault(title, []).append((name, summary))
    return [
        [f"{title}:", *_format_definitions(commands, width)] for title, commands in panels.items()
    ]


def _format_parameters(command: TyperCommand | TyperGroup, ctx: Any, width: int) -> list[list[str]]:
    panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], DEFAULT_PANEL: []}
    for one in command.get_params(ctx):
        if _is_argument(one):
            panels["Arguments"].append((_format_argument(one), _describe(one)))
            continue
        panel = getattr(one, "rich_help_panel", None)
        title = panel if isinstance(panel, str) else DEFAULT_PANEL
        panels.setdefault(title, []).append((_format_option(one), _describe(one)))
    return [
        [f"{title}:", *_format_definitions(parameters, width)]
        for title, parameters in panels.items()
        if parameters
    ]


def _is_argument(parameter: Any) -> bool:
    return isinstance(parameter, TyperArgument)


def _format_argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    several = "…" if argument.nargs == -1 else ""
    return f"{name}{several}" if argument.required else f"[{name}{several}]"


def _format_option(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag:
        return names
    return f"{names} {option.metavar or _build_metavar(option.type_descriptor)}"


def _build_metavar(kind: Any) -> str:
    if kind.annotation is Path:
        return "FILE" if kind.parameter_info.file_okay else "DIR"
    return _METAVARS.get(kind.annotation, "TEXT")


def _describe(parameter: Any) -> str:
    """Return the parameter's help with its default and its variable."""
    notes = []
    if isinstance(parameter, TyperOption):
        notes += ["required"] if parameter.required else []
        if isinstance(parameter.show_default, str):
            notes.append(f"default: {parameter.show_default}")
        elif parameter.default is not None and not parameter.is_flag:
            notes.append(f"default: {parameter.default}")
        notes += [f"variable: {parameter.envvar}"] if parameter.envvar else []
    help_text = " ".join((parameter.help or "").split())
    return f"{help_text} [{'; '.join(notes)}]" if notes else help_text


def _format_definitions(rows: Iterable[tuple[str, str]], width: int) -> Iterator[str]:
    """Format names and their descriptions side by side."""
    rows = list(rows)
    column = min(max(len(name) for name, _ in rows), MAX_NAME_WIDTH)
    indent = " " * (column + 2 * len(GAP))
    for name, text in rows:
        lines = wrap_words(text.split(" "), width - len(indent))
        if len(name) > column:
            yield f"{GAP}{name}"
        else:
            yield f"{GAP}{name:<{column}}{GAP}{lines.pop(0)}".rstrip()
        yield from (f"{indent}{line}" for line in lines)


class CommandGroup(typer.Typer):
    """Registers commands with plain help."""

    def command(
        self, name: str | None = None, **options: Any
    ) -> Callable[[CommandFunction], CommandFunction]:
        return super().command(name, **{"cls": HelpfulCommand, **options})
