import zipfile
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from app.library.parsers import parse
from app.library.parsers.blocks import Parsed, ParseError, blocks_from_json, blocks_to_json, full_text
from app.library.parsers.detect import detect_media_type
from app.library.parsers.limits import DEFAULT, Limits
from app.library.parsers.media import PPTX

A = "http://schemas.openxmlformats.org/drawingml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
RAISED, LOWERED, STRUCK = 'baseline="30000"', 'baseline="-25000"', 'strike="sngStrike"'
TITLE_ONLY, CONTENT, BLANK = 5, 1, 6


def read(path: Path, limits: Limits = DEFAULT) -> Parsed:
    assert detect_media_type(path, path.name) == PPTX
    parsed = parse(path, PPTX, limits)
    assert blocks_from_json(blocks_to_json(parsed)) == parsed
    return parsed


def saved(deck: Any, folder: Path) -> Parsed:
    path = folder / "a.pptx"
    deck.save(str(path))
    return read(path)


def lines(parsed: Parsed) -> list[tuple[str, int, int | None, str]]:
    return [(block.kind, block.level, block.slide, block.text) for block in parsed.blocks]


def texts(parsed: Parsed) -> list[str]:
    return [block.text for block in parsed.blocks]


def box(slide: Any, text: str, left: float, top: float, width: float = 2) -> Any:
    shape = slide.shapes.add_textbox(Inches(left), Inches(top), Inches(width), Inches(0.5))
    shape.text_frame.text = text
    return shape


def packed(folder: Path, parts: dict[str, str]) -> Path:
    """Make a presentation of one slide from its parts."""
    path = folder / "a.pptx"
    main = "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
    whole = {
        "[Content_Types].xml": f'<Types><Override PartName="/ppt/presentation.xml" ContentType="{main}"/></Types>',
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{P}" xmlns:r="{R}"><p:sldIdLst>'
        '<p:sldId id="256" r:id="r1"/></p:sldIdLst></p:presentation>',
        "ppt/_rels/presentation.xml.rels": relations_xml(
            ("slide", "slides/slide1.xml"), ("commentAuthors", "authors.xml")
        ),
        **parts,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in whole.items():
            archive.writestr(name, text)
    return path


def relations_xml(*relations: tuple[str, str], mode: str = "") -> str:
    """Return relations r1, r2, … of (kind, target)."""
    entries = "".join(
        f'<Relationship Id="r{number}" Type="{kind if ":" in kind else f"{R}/{kind}"}" Target="{target}" {mode}/>'
        for number, (kind, target) in enumerate(relations, 1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{entries}</Relationships>'


def slide_xml(shapes: str, attributes: str = "", before: str = "") -> str:
    return (
        f'{before}<p:sld xmlns:p="{P}" xmlns:a="{A}" xmlns:r="{R}" {attributes}><p:cSld><p:spTree>{shapes}'
        "</p:spTree></p:cSld></p:sld>"
    )


def shape_xml(paragraphs: str, kind: str = "") -> str:
    mark = f'<p:ph type="{kind}"/>' if kind else ""
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="2" name="x"/><p:cNvSpPr/><p:nvPr>{mark}</p:nvPr></p:nvSpPr><p:spPr/>'
        f"<p:txBody><a:bodyPr/>{paragraphs}</p:txBody></p:sp>"
    )


def run(text: str, properties: str = "") -> str:
    return f"<a:r><a:rPr {properties}/><a:t>{text}</a:t></a:r>"


def test_slides_have_their_number_title_lists_and_notes(tmp_path: Path) -> None:
    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[CONTENT])
    first.shapes.title.text = "Prices"
    frame = first.placeholders[1].text_frame
    frame.text = "Basic: 10 euros"
    inner = frame.add_paragraph()
    inner.text, inner.level = "with support: 12 euros", 1
    first.notes_slide.notes_text_frame.text = "Say that prices rise in May."
    second = deck.slides.add_slide(deck.slide_layouts[BLANK])
    box(second, "No title here", 1, 1)
    parsed = saved(deck, tmp_path)
    assert lines(parsed) == [
        ("heading", 1, 1, "Prices"),
        ("list_item", 1, 1, "Basic: 10 euros"),
        ("list_item", 2, 1, "with support: 12 euros"),
        ("heading", 2, 1, "Notes"),
        ("paragraph", 0, 1, "Say that prices rise in May."),
        ("paragraph", 0, 2, "No title here"),
    ]
    assert parsed.blocks[4].heading == ("Prices", "Notes")
    # The title of a slide says nothing of the next one.
    assert parsed.blocks[5].heading == ()
    assert parsed.title == "Prices"


def test_hidden_slides_are_marked_and_counted(tmp_path: Path) -> None:
    deck = Presentation()
    for title in ("Shown", "Secret plan", "Last"):
        deck.slides.add_slide(deck.slide_layouts[TITLE_ONLY]).shapes.title.text = title
    deck.slides[1]._element.set("show", "0")
    parsed = saved(deck, tmp_path)
    assert [(block.slide, block.text) for block in parsed.blocks] == [
        (1, "Shown"),
        (2, "Secret plan (hidden slide)"),
        (3, "Last"),
    ]


def test_boxes_are_read_in_the_order_of_the_page_and_groups_at_their_place(tmp_path: Path) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[BLANK])
    box(slide, "bottom", 1, 5)
    box(slide, "right", 5, 1)
    box(slide, "left", 1, 1)
    group = slide.shapes.add_group_shape()
    for text, top in (("group 2", 3.6), ("group 1", 3.0)):
        shape = group.shapes.add_textbox(Inches(1), Inches(top), Inches(2), Inches(0.5))
        shape.text_frame.text = text
    assert texts(saved(deck, tmp_path)) == ["left", "right", "group 1", "group 2", "bottom"]


def test_the_file_s_order_holds_where_places_do_not_contradict_it(tmp_path: Path) -> None:
    # Three columns, each with its own text below its head: column by column, as the file has them.
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[BLANK])
    for number, left in enumerate((0.5, 3.5, 6.5), 1):
        box(slide, f"head {number}", left, 1)
        box(slide, f"text {number}", left, 2)
    assert texts(saved(deck, tmp_path)) == ["head 1", "text 1", "head 2", "text 2", "head 3", "text 3"]


def test_tables_have_their_merged_cells_and_header(tmp_path: Path) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[BLANK])
    table = slide.shapes.add_table(3, 3, Inches(1), Inches(1), Inches(6), Inches(2)).table
    for number, text in enumerate(("Pump", "Flow", "Pressure", "P1", "12", "3", "", "14", "5")):
        table.cell(number // 3, number % 3).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    assert texts(saved(deck, tmp_path)) == [
        "Pump | Flow | Pressure (2 rows)",
        "Pump: P1; Flow: 12; Pressure: 3",
        "Pump: P1; Flow: 14; Pressure: 5",
    ]


def test_charts_have_their_title_axes_and_data_as_shown(tmp_path: Path) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[BLANK])
    data = CategoryChartData(number_format="0%")
    data.categories = ["2023", "2024"]
    data.add_series("Share", (0.25, None))
    data.add_series("Rest", (0.75, 0.7))
    place = (Inches(1), Inches(1), Inches(5), Inches(3))
    chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Market"
    chart.value_axis.has_title = True
    chart.value_axis.axis_title.text_frame.text = "of all sales"
    assert texts(saved(deck, tmp_path)) == [
        "Bar chart: Market; of all sales",
        "2023; Share: 25%; Rest: 75%",
        "2024; Rest: 70%",
    ]


def test_runs_keep_digits_apart_and_links_their_address(tmp_path: Path) -> None:
    body = (
        f"<a:p>{run('The fee is 250')}{run('1', RAISED)}{run(' euros, 10')}{run('6', RAISED)}"
        f"{run(' times, H')}{run('2', LOWERED)}{run('O, ')}{run('old', STRUCK)}"
        '<a:r><a:rPr><a:hlinkClick r:id="r1"/></a:rPr><a:t>here</a:t></a:r>'
        '<a:fld type="slidenum"><a:t>99</a:t></a:fld></a:p>'
    )
    path = packed(
        tmp_path,
        {
            "ppt/slides/slide1.xml": slide_xml(shape_xml(body)),
            "ppt/slides/_rels/slide1.xml.rels": relations_xml(
                ("hyperlink", "https://example.com/fees"), mode='TargetMode="External"'
            ),
        },
    )
    assert full_text(read(path).blocks) == "The fee is 250 euros, 10^6 times, H2O, here (https://example.com/fees)"


def test_numbers_that_powerpoint_makes_are_read(tmp_path: Path) -> None:
    def item(text: str, level: int, kind: str, start: str = "") -> str:
        return f'<a:p><a:pPr lvl="{level}"><a:buAutoNum type="{kind}" {start}/></a:pPr>{run(text)}</a:p>'

    body = (
        item("switch on", 0, "arabicPeriod", 'startAt="4"')
        + item("wait", 1, "alphaLcParenR")
        + item("look", 1, "alphaLcParenR")
        + item("switch off", 0, "arabicPeriod")
        + item("wait", 1, "alphaLcParenR")
        + f"<a:p><a:pPr><a:buNone/></a:pPr>{run('Done.')}</a:p>"
    )
    parsed = read(packed(tmp_path, {"ppt/slides/slide1.xml": slide_xml(shape_xml(body))}))
    assert texts(parsed) == ["4. switch on", "a) wait", "b) look", "5. switch off", "a) wait", "Done."]
    assert [block.kind for block in parsed.blocks] == ["list_item"] * 5 + ["paragraph"]


def test_comments_old_and_new_are_marked_with_author_and_day(tmp_path: Path) -> None:
    new = "http://schemas.microsoft.com/office/powerpoint/2018/8/main"
    relations = "http://schemas.microsoft.com/office/2018/10/relationships"
    path = packed(
        tmp_path,
        {
            "ppt/authors.xml": f'<p:cmAuthorLst xmlns:p="{P}"><p:cmAuthor id="0" name="Ada"/></p:cmAuthorLst>',
            "ppt/slides/slide1.xml": slide_xml(shape_xml(f"<a:p>{run('Plan')}</a:p>", "title")),
            "ppt/slides/_rels/slide1.xml.rels": relations_xml(
                ("comments", "../comments/c1.xml"), (f"{relations}/comments", "../comments/c2.xml")
            ),
            "ppt/comments/c1.xml": f'<p:cmLst xmlns:p="{P}"><p:cm authorId="0" dt="2026-05-02T10:00:00.0">'
            "<p:text>Too early</p:text></p:cm></p:cmLst>",
            "ppt/comments/c2.xml": f'<m:cmLst xmlns:m="{new}" xmlns:a="{A}">'
            '<m:cm authorId="?" created="2026-05-03T08:00">'
            f"<m:replyLst><m:reply authorId='0'><m:txBody><a:p>{run('No')}</a:p></m:txBody></m:reply></m:replyLst>"
            f"<m:txBody><a:p>{run('Is this final?')}</a:p></m:txBody></m:cm></m:cmLst>",
        },
    )
    assert texts(read(path)) == [
        "Plan",
        "Comment by Ada on 2026-05-02: Too early",
        "Comment on 2026-05-03: Is this final?",
        "Comment by Ada: No",
    ]


def test_smartart_is_read_as_its_points_in_order(tmp_path: Path) -> None:
    dgm = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
    frame = (
        '<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="3" name="d"/><p:cNvGraphicFramePr/><p:nvPr/>'
        f'</p:nvGraphicFramePr><a:graphic><a:graphicData uri="{dgm}"><dgm:relIds xmlns:dgm="{dgm}" r:dm="r1"/>'
        "</a:graphicData></a:graphic></p:graphicFrame>"
    )
    points = "".join(
        f'<dgm:pt modelId="{key}" type="{kind}"><dgm:t><a:bodyPr/><a:p>{run(text)}</a:p></dgm:t></dgm:pt>'
        for key, kind, text in (("0", "doc", ""), ("2", "node", "Ship"), ("1", "node", "Order"), ("3", "node", "pay"))
    )
    joins = "".join(
        f'<dgm:cxn modelId="c{to}" srcId="{source}" destId="{to}" srcOrd="{order}"/>'
        for source, to, order in (("0", "2", 1), ("0", "1", 0), ("1", "3", 0), ("3", "1", 0))
    )
    path = packed(
        tmp_path,
        {
            "ppt/slides/slide1.xml": slide_xml(frame),
            "ppt/slides/_rels/slide1.xml.rels": relations_xml(("diagramData", "../diagrams/data1.xml")),
            "ppt/diagrams/data1.xml": f'<dgm:dataModel xmlns:dgm="{dgm}" xmlns:a="{A}"><dgm:ptLst>{points}</dgm:ptLst>'
            f"<dgm:cxnLst>{joins}</dgm:cxnLst></dgm:dataModel>",
        },
    )
    assert [(block.level, block.text) for block in read(path).blocks] == [(1, "Order"), (2, "pay"), (1, "Ship")]


def test_pictures_give_the_words_of_people_and_footers_come_once(tmp_path: Path) -> None:
    deck = Presentation()
    for text in ("A map of the site", "IMG_0042.png", "Picture 3"):
        slide = deck.slides.add_slide(deck.slide_layouts[TITLE_ONLY])
        slide.shapes.title.text = "Slide"
        picture = slide.shapes.add_shape(1, Inches(1), Inches(2), Inches(1), Inches(1))
        picture._element.nvSpPr.cNvPr.set("descr", text)
        picture._element.remove(picture._element.txBody)
        footer = shape_xml(f"<a:p>{run('Internal use only')}</a:p>", "ftr")
        slide.shapes._spTree.append(etree.fromstring(f'<x xmlns:p="{P}" xmlns:a="{A}">{footer}</x>')[0])
    assert texts(saved(deck, tmp_path)) == [
        "Slide",
        "Picture: A map of the site",
        "Internal use only",
        "Slide",
        "Slide",
    ]


def test_hostile_presentations_end_with_a_reason(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    deep = "<p:grpSp>" * 60 + shape_xml(f"<a:p>{run('x')}</a:p>") + "</p:grpSp>" * 60
    laughs = '<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    cases = {
        "entity bomb": (slide_xml(shape_xml("&a9;"), before=f"<!DOCTYPE x [{laughs}]>"), "file_too_complex"),
        "outside file": (
            slide_xml(shape_xml("&x;"), before=f'<!DOCTYPE x [<!ENTITY x SYSTEM "file://{secret}">]>'),
            "file_too_complex",
        ),
        "nested groups": (slide_xml(deep), "file_too_complex"),
        "expansion": (slide_xml(shape_xml(f"<a:p>{run('a' * 1000)}</a:p>" * 4000)), "file_too_complex"),
        "no text": (slide_xml(""), "no_text"),
        "broken": ("<p:sld", "broken_file"),
    }
    for name, (slide, code) in cases.items():
        with pytest.raises(ParseError) as caught:
            read(packed(tmp_path, {"ppt/slides/slide1.xml": slide}))
        assert caught.value.code == code, name


def test_parts_outside_the_file_are_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_text(slide_xml(shape_xml(f"<a:p>{run('the secret')}</a:p>")))
    relations = relations_xml(("notesSlide", "../../../../secret.xml"), ("notesSlide", str(secret)))
    path = packed(
        tmp_path,
        {
            "ppt/slides/slide1.xml": slide_xml(shape_xml(f"<a:p>{run('shown')}</a:p>")),
            "ppt/slides/_rels/slide1.xml.rels": relations,
        },
    )
    assert texts(read(path)) == ["shown"]


def test_slides_that_are_pictures_are_named_in_a_warning(tmp_path: Path) -> None:
    picture = (
        '<p:pic><p:nvPicPr><p:cNvPr id="2" name="x"/><p:cNvPicPr/><p:nvPr/></p:nvPicPr><p:blipFill/><p:spPr/></p:pic>'
    )
    deck = Presentation()
    for number in range(3):
        slide = deck.slides.add_slide(deck.slide_layouts[BLANK])
        if number == 1:
            slide.shapes._spTree.append(etree.fromstring(f'<x xmlns:p="{P}">{picture}</x>')[0])
        elif number == 2:
            box(slide, "Shown", 1, 1)
    parsed = saved(deck, tmp_path)
    assert (texts(parsed), parsed.warnings) == (["Shown"], ("slides_without_text:2",))


def test_charts_of_the_newer_kinds_are_read(tmp_path: Path) -> None:
    cx = "http://schemas.microsoft.com/office/drawing/2014/chartex"
    fallback = shape_xml(f"<a:p>{run('Not available')}</a:p>")
    frame = (
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice>'
        '<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="3" name="c"/><p:cNvGraphicFramePr/><p:nvPr/>'
        f'</p:nvGraphicFramePr><a:graphic><a:graphicData uri="{cx}"><cx:chart xmlns:cx="{cx}" r:id="r1"/>'
        f"</a:graphicData></a:graphic></p:graphicFrame></mc:Choice><mc:Fallback>{fallback}</mc:Fallback></mc:AlternateContent>"
    )
    chart = (
        f'<cx:chartSpace xmlns:cx="{cx}" xmlns:a="{A}"><cx:chartData><cx:data id="0"><cx:strDim type="cat"><cx:lvl>'
        '<cx:pt idx="0">Visits</cx:pt><cx:pt idx="1">Orders</cx:pt></cx:lvl></cx:strDim><cx:numDim type="val"><cx:lvl>'
        '<cx:pt idx="0">900</cx:pt><cx:pt idx="1">40</cx:pt></cx:lvl></cx:numDim></cx:data></cx:chartData><cx:chart>'
        f"<cx:title><cx:tx><cx:rich><a:p>{run('Shop')}</a:p></cx:rich></cx:tx></cx:title><cx:plotArea>"
        '<cx:plotAreaRegion><cx:series layoutId="funnel"/></cx:plotAreaRegion></cx:plotArea></cx:chart></cx:chartSpace>'
    )
    parts = {
        "ppt/slides/slide1.xml": slide_xml(frame),
        "ppt/slides/_rels/slide1.xml.rels": relations_xml(("chartEx", "../charts/chartEx1.xml")),
        "ppt/charts/chartEx1.xml": chart,
    }
    assert texts(read(packed(tmp_path, parts))) == ["Funnel chart: Shop", "Visits | 900", "Orders | 40"]
