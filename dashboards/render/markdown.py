"""A page as Markdown, for issues, pull requests and job summaries: its words and its tables."""

from __future__ import annotations

from dashboards.content import Content, Table

MOST_ROWS = 200
"""Rows of a table that are written; a longer one says how many it leaves out."""

_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]<>#|~"})


def markdown(content: Content, *, title: str, question: str, footer: str = "") -> str:
    """The whole page. GitHub's Markdown; names are text in it, whatever they say."""
    lines = [f"# {plain(content.title or title)}", "", plain(question), "", plain(content.lead), ""]
    if content.tiles:
        lines += [" · ".join(f"**{plain(t.value)}** {plain(t.label)}" for t in content.tiles), ""]
    lines += [f"- {plain(line)}" for line in content.findings]
    for section in content.sections:
        lines += ["", f"## {plain(section.heading)}", ""]
        if section.note:
            lines += [plain(section.note), ""]
        if section.table is not None and section.table.rows:
            lines += table_lines(section.table)
        if section.code:
            fence = "```" if "```" not in section.code else "~~~~"
            lines += ["", fence, section.code, fence]
    return "\n".join([*lines, "", plain(footer), ""])


def table_lines(table: Table) -> list[str]:
    """A table's lines, at most MOST_ROWS of them."""
    ruler = ["---:" if i in table.numbers else "---" for i in range(len(table.columns))]
    lines = ["| " + " | ".join(map(plain, table.columns)) + " |", "| " + " | ".join(ruler) + " |"]
    lines += ["| " + " | ".join(map(plain, row)) + " |" for row in table.rows[:MOST_ROWS]]
    more = len(table.rows) - MOST_ROWS
    return [*lines, "", f"… and {more:,} rows more."] if more > 0 else lines


def plain(text: str) -> str:
    """``text`` on one line, with nothing in it that Markdown or HTML would act on."""
    return " ".join(text.split()).translate(_SPECIAL)
