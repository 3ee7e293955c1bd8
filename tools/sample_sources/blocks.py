"""The texts of the sample library as blocks: the subset of Markdown that they use, nothing more."""

from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

SOURCES = Path(__file__).parent


@dataclass
class Block:
    """A block. kind: heading, paragraph, bullet, numbered, table or figure. Tables have rows, the header first."""

    kind: str
    text: str = ""
    level: int = 0
    number: int = 0
    rows: list[list[str]] = field(default_factory=list)


def blocks_read(*, name: str) -> list[Block]:
    tokens = MarkdownIt("commonmark").enable("table").parse((SOURCES / f"{name}.md").read_text("utf-8"))
    blocks: list[Block] = []
    lists: list[list[int | str]] = []
    heading = 0
    for token in tokens:
        match token.type:
            case "heading_open":
                heading = int(token.tag[1])
            case "heading_close":
                heading = 0
            case "ordered_list_open" | "bullet_list_open":
                lists.append(["numbered" if token.type[0] == "o" else "bullet", 0])
            case "ordered_list_close" | "bullet_list_close":
                lists.pop()
            case "list_item_open":
                lists[-1][1] = int(lists[-1][1]) + 1
            case "inline":
                _text_add(blocks, token=token, heading=heading, item=lists[-1] if lists else None)
            case "table_open":
                blocks.append(Block("table"))
            case "tr_open":
                blocks[-1].rows.append([])
    return blocks


def _text_add(blocks: list[Block], *, token: Token, heading: int, item: list[int | str] | None) -> None:
    text = token.content.replace("\n", " ")
    if heading:
        blocks.append(Block("heading", text, level=heading))
    elif item:
        blocks.append(Block(str(item[0]), text, number=int(item[1])))
    elif blocks and blocks[-1].kind == "table" and _in_cell(token):
        blocks[-1].rows[-1].append(text)
    elif text == "[[figure]]":
        blocks.append(Block("figure"))
    else:
        blocks.append(Block("paragraph", text))


def _in_cell(token: Token) -> bool:
    # Cells lie three levels deep (table, head or body, row); a paragraph's text lies one deep.
    return token.level >= 3
