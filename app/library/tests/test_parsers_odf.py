import zipfile
from pathlib import Path

import pytest

from app.library.parsers import parse
from app.library.parsers.blocks import Parsed, ParseError, blocks_from_json, blocks_to_json, full_text
from app.library.parsers.detect import detect_media_type
from app.library.parsers.media import ODP, ODT

NAMES = {
    "office": "office",
    "text": "text",
    "table": "table",
    "draw": "drawing",
    "style": "style",
    "presentation": "presentation",
    "svg": "svg-compatible",
    "chart": "chart",
}
NAMESPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{whole}:1.0"' for name, whole in NAMES.items()
)
NAMESPACES += ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'


def text_style(name: str, properties: str) -> str:
    return f'<style:style style:name="{name}" style:family="text"><style:text-properties {properties}/></style:style>'


STYLES = (
    text_style("up", 'style:text-position="super 58%"')
    + text_style("hid", 'text:display="none"')
    + text_style("del", 'style:text-line-through-style="solid"')
)
PROMPT = 'presentation:placeholder="true"'


def packed(
    folder: Path,
    body: str,
    *,
    kind: str = "text",
    automatic: str = "",
    styles: str = "",
    before: str = "",
    **parts: str,
) -> Path:
    path = folder / f"a.{'odt' if kind == 'text' else 'odp'}"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        archive.writestr(
            "content.xml",
            f"{before}<office:document-content {NAMESPACES}><office:automatic-styles>{automatic}"
            f"</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}></office:body>"
            "</office:document-content>",
        )
        archive.writestr("styles.xml", f"<office:document-styles {NAMESPACES}>{styles}</office:document-styles>")
        for name, text in parts.items():
            archive.writestr(f"{name}/content.xml", text)
    return path


def read(path: Path) -> Parsed:
    parsed = parse(path, detect_media_type(path, path.name))
    assert blocks_from_json(blocks_to_json(parsed)) == parsed
    return parsed


def lines(parsed: Parsed) -> list[tuple[str, int, str]]:
    return [(block.kind, block.level, block.text) for block in parsed.blocks]


def texts(parsed: Parsed) -> list[str]:
    return [block.text for block in parsed.blocks]


def level(number: int, style: str, *, shown: int = 1, suffix: str = ".") -> str:
    return (
        f'<text:list-level-style-number text:level="{number}" style:num-format="{style}" style:num-suffix="{suffix}"'
        f' text:display-levels="{shown}"/>'
    )


def test_headings_have_the_numbers_that_the_program_makes(tmp_path: Path) -> None:
    outline = "".join(
        f'<text:outline-level-style text:level="{number}" style:num-format="1" text:display-levels="{number}"/>'
        for number in (1, 2)
    )
    styles = f"<office:styles><text:outline-style>{outline}</text:outline-style></office:styles>"
    body = (
        '<text:p text:style-name="Title">Manual</text:p><text:h text:outline-level="1">Start</text:h>'
        '<text:h text:outline-level="2">Plug in</text:h><text:h text:outline-level="2">Switch on</text:h>'
        "<text:p>Press the button.</text:p>"
    )
    parsed = read(packed(tmp_path, body, styles=styles))
    assert lines(parsed) == [
        ("heading", 1, "Manual"),
        ("heading", 2, "1 Start"),
        ("heading", 3, "1.1 Plug in"),
        ("heading", 3, "1.2 Switch on"),
        ("paragraph", 0, "Press the button."),
    ]
    assert (parsed.title, parsed.media_type) == ("Manual", ODT)


def test_lists_have_their_numbers_and_go_on_where_they_say_so(tmp_path: Path) -> None:
    automatic = (
        f'<text:list-style style:name="L1">{level(1, "1")}{level(2, "a", suffix=")")}</text:list-style>'
        '<text:list-style style:name="L2"><text:list-level-style-bullet text:level="1"/></text:list-style>'
    )

    def item(text: str, inner: str = "", attributes: str = "") -> str:
        return f"<text:list-item {attributes}><text:p>{text}</text:p>{inner}</text:list-item>"

    body = (
        '<text:list text:style-name="L1">'
        + item("on", "<text:list>" + item("wait") + item("look") + "</text:list>")
        + item("off")
        + "</text:list><text:p>Between</text:p>"
        + '<text:list text:style-name="L1" text:continue-numbering="true">'
        + item("clean")
        + item("dry", attributes='text:start-value="7"')
        + '</text:list><text:list text:style-name="L2">'
        + item("loose")
        + "</text:list>"
    )
    assert lines(read(packed(tmp_path, body, automatic=automatic))) == [
        ("list_item", 1, "1. on"),
        ("list_item", 2, "a) wait"),
        ("list_item", 2, "b) look"),
        ("list_item", 1, "2. off"),
        ("paragraph", 0, "Between"),
        ("list_item", 1, "3. clean"),
        ("list_item", 1, "7. dry"),
        ("list_item", 1, "loose"),
    ]


def test_runs_notes_links_and_comments_are_read_in_place(tmp_path: Path) -> None:
    note = (
        '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body>'
        "<text:p>Since 2024.</text:p></text:note-body></text:note>"
    )
    comment = (
        "<office:annotation><dc:creator>Ada</dc:creator><dc:date>2026-05-02T09:00:00</dc:date><text:p>Check</text:p>"
        "</office:annotation>"
    )
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>deleted text</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes>"
        f'<text:p>The fee is 250<text:span text:style-name="up">1</text:span> euros{note},'
        f'<text:s text:c="3"/>10<text:span text:style-name="up">6</text:span> times'
        '<text:span text:style-name="hid"> hidden</text:span>'
        f'<text:span text:style-name="del"> struck</text:span>{comment}, '
        '<text:a xlink:href="https://example.com/a">here</text:a>.</text:p>'
        "<text:table-of-content><text:index-body><text:p>Start 3</text:p></text:index-body></text:table-of-content>"
        '<text:section text:name="s"><text:p>In a section</text:p></text:section>'
        '<text:section text:display="none"><text:p>Not shown</text:p></text:section>'
    )
    assert texts(read(packed(tmp_path, body, automatic=STYLES))) == [
        "The fee is 250 euros, 10^6 times, here (https://example.com/a).",
        "Since 2024.",
        "Comment by Ada on 2026-05-02: Check",
        "In a section",
    ]


def test_tables_have_merged_cells_and_repeated_headers(tmp_path: Path) -> None:
    def cell(text: str, attributes: str = "") -> str:
        return f"<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>"

    body = (
        '<table:table><table:table-column table:number-columns-repeated="3"/><table:table-header-rows><table:table-row>'
        + cell("Pump")
        + cell("Flow")
        + cell("Pressure")
        + "</table:table-row></table:table-header-rows><table:table-row>"
        + cell("P1", 'table:number-rows-spanned="2"')
        + cell("12")
        + cell("3")
        + "</table:table-row><table:table-row><table:covered-table-cell/>"
        + cell("14", 'table:number-columns-repeated="2"')
        + "</table:table-row></table:table>"
    )
    assert texts(read(packed(tmp_path, body))) == [
        "Pump | Flow | Pressure (2 rows)",
        "Pump: P1; Flow: 12; Pressure: 3",
        "Pump: P1; Flow: 14; Pressure: 14",
    ]


def test_headers_come_once_and_text_boxes_formulas_and_charts_are_read(tmp_path: Path) -> None:
    styles = (
        '<office:master-styles><style:master-page style:name="a"><style:header><text:p>Confidential, version 3</text:p>'
        "</style:header><style:footer><text:p>Page <text:page-number>1</text:page-number></text:p></style:footer>"
        "</style:master-page><style:master-page><style:header><text:p>Confidential, version 3</text:p></style:header>"
        "</style:master-page></office:master-styles>"
    )
    formula = (
        '<math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mi>x</mi>'
        '<annotation encoding="StarMath 5.0">E = m c^2</annotation></semantics></math>'
    )
    rows = "".join(
        "<table:table-row>"
        + "".join(f"<table:table-cell><text:p>{text}</text:p></table:table-cell>" for text in row)
        + "</table:table-row>"
        for row in (("", "Sales"), ("May", "12"), ("June", "15"))
    )
    chart = (
        f"<office:document-content {NAMESPACES}><office:body><office:chart><chart:chart><chart:title>"
        f"<text:p>Shop</text:p></chart:title><table:table>{rows}</table:table></chart:chart></office:chart></office:body>"
        "</office:document-content>"
    )
    body = (
        '<text:p>It holds: <draw:frame><draw:object xlink:href="./Formula"/></draw:frame> always.'
        "<draw:frame><draw:text-box><text:p>In a box</text:p></draw:text-box></draw:frame></text:p>"
        '<text:p><draw:frame><draw:object xlink:href="./Chart"/></draw:frame></text:p>'
        "<text:p><draw:frame><draw:image/><svg:desc>A map of the site</svg:desc></draw:frame></text:p>"
    )
    assert texts(read(packed(tmp_path, body, styles=styles, Formula=formula, Chart=chart))) == [
        "Confidential, version 3",
        "It holds: E = m c^2 always.",
        "In a box",
        "Chart: Shop",
        "Sales (2 rows)",
        "May; Sales: 12",
        "June; Sales: 15",
        "Picture: A map of the site",
    ]


def frame(text: str, kind: str = "", place: tuple[float, float] = (1, 1), attributes: str = "") -> str:
    mark = f'presentation:class="{kind}"' if kind else ""
    return (
        f'<draw:frame {mark} {attributes} svg:x="{place[0]}cm" svg:y="{place[1]}cm" svg:width="4cm" svg:height="1cm">'
        f"<draw:text-box><text:p>{text}</text:p></draw:text-box></draw:frame>"
    )


def test_slides_have_number_title_notes_and_footers_once(tmp_path: Path) -> None:
    automatic = (
        '<style:style style:name="dp2" style:family="drawing-page"><style:drawing-page-properties'
        ' presentation:visibility="hidden"/></style:style>'
    )
    notes = f"<presentation:notes><draw:page-thumbnail/>{frame('Say hello.', 'notes')}</presentation:notes>"
    footer = 'presentation:use-footer-name="f1"'
    body = (
        '<presentation:footer-decl presentation:name="f1">Internal</presentation:footer-decl>'
        f"<draw:page {footer}>{frame('below', place=(1, 9))}{frame('above', place=(1, 5))}{frame('Prices', 'title')}"
        f"<draw:g>{frame('right', place=(9, 12))}{frame('left', place=(1, 12))}</draw:g>"
        f"{frame('7', 'page-number')}{notes}</draw:page>"
        f'<draw:page draw:style-name="dp2" {footer}>{frame("Plan", "title")}'
        f"{frame('Click to add text', 'outline', attributes=PROMPT)}"
        "<draw:custom-shape><text:p>In a shape</text:p></draw:custom-shape></draw:page>"
    )
    parsed = read(packed(tmp_path, body, kind="presentation", automatic=automatic))
    assert [(block.slide, block.level, block.text) for block in parsed.blocks] == [
        (1, 1, "Prices"),
        (1, 0, "above"),
        (1, 0, "below"),
        (1, 0, "left"),
        (1, 0, "right"),
        (1, 0, "Internal"),
        (1, 2, "Notes"),
        (1, 0, "Say hello."),
        (2, 1, "Plan (hidden slide)"),
        (2, 0, "In a shape"),
    ]
    assert (parsed.title, parsed.media_type) == ("Prices", ODP)


def test_hostile_files_end_with_a_reason(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    laughs = '<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    cases = {
        "entity bomb": ("<text:p>&a9;</text:p>", f"<!DOCTYPE x [{laughs}]>", "text", "file_too_complex"),
        "outside": (
            "<text:p>&x;</text:p>",
            f'<!DOCTYPE x [<!ENTITY x SYSTEM "file://{secret}">]>',
            "text",
            "file_too_complex",
        ),
        "expansion": ("<text:p>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa</text:p>" * 50_000, "", "text", "file_too_complex"),
        "nested": ("<text:section>" * 230 + "x" + "</text:section>" * 230, "", "text", "file_too_complex"),
        "nested groups": (
            f"<draw:page>{'<draw:g>' * 60}{'</draw:g>' * 60}</draw:page>",
            "",
            "presentation",
            "file_too_complex",
        ),
        "empty": ("", "", "text", "no_text"),
        "broken": ("<text:p>", "", "text", "broken_file"),
    }
    for name, (body, before, kind, code) in cases.items():
        with pytest.raises(ParseError) as caught:
            read(packed(tmp_path, body, before=before, kind=kind))
        assert caught.value.code == code, name


def test_repeated_cells_and_spaces_do_not_multiply(tmp_path: Path) -> None:
    cell = '<table:table-cell table:number-columns-repeated="99999999"><text:p>x</text:p></table:table-cell>'
    row = f'<table:table-row table:number-rows-repeated="99999999">{cell * 3}</table:table-row>'
    body = f'<text:p>a<text:s text:c="999999999"/>b</text:p><table:table>{row}</table:table>'
    assert len(full_text(read(packed(tmp_path, body)).blocks)) < 1_000_000


def test_objects_outside_the_file_are_not_opened(tmp_path: Path) -> None:
    for address in ("../secret", "/etc", "file:///etc", "https://example.com/x", ".."):
        body = f'<text:p>shown<draw:frame><draw:object xlink:href="{address}"/></draw:frame></text:p>'
        assert texts(read(packed(tmp_path, body))) == ["shown"]
