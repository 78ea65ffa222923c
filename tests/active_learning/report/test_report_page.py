"""The page of a report: it stands alone, all text is escaped, it parses, and odd histories do not break it."""

from __future__ import annotations

import base64
import io
import itertools
import math
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

import pytest
from ase import units
from jinja2 import UndefinedError
from PIL import Image

from nnpal.active_learning.report import (
    Cell,
    Crystal,
    Fact,
    Failure,
    FigureFiles,
    IterationSummary,
    Page,
    Section,
    Table,
    activation,
    classes,
    convergence,
    ending,
    error_fact,
    errors_table,
    grid_table,
    iteration_table,
    iterations_done,
    labels_used,
    mae_history,
    relax_table,
    write_figure,
    write_page,
)
from nnpal.active_learning.report.html import environment, fact_columns
from nnpal.active_learning.report.table import text_of

KCAL = units.kcal / units.mol
NAN = math.nan
NASTY = "<script>alert('x')</script> & \"quoted\" </pre></style> åÅ"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Reader(HTMLParser):
    """Reads a page, and fails where tags do not match."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute of {tag} stands twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def read(page: Page, folder: Path) -> Reader:
    return Reader(write_page(folder / "report.html", page).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def figure(tmp_path_factory) -> FigureFiles:
    folder = tmp_path_factory.mktemp("run") / "figures & more"
    return write_figure(folder, mae_history([0, 1], {"train": [0.001, 0.002]}))


@pytest.fixture
def whole(figure) -> Page:
    return Page(
        title=f"Title {NASTY}",
        subtitle=f"Subtitle {NASTY}",
        facts=[Fact(f"Label {NASTY}", Cell(f"Value {NASTY}", f"Note {NASTY}", "bad"))],
        sections=[
            Section(f"Section {NASTY}", [f"Text {NASTY}", figure, figure]),
            Section("Tables", [Table(f"Caption {NASTY}", ["", f"Head {NASTY}"], [["row", f"Cell {NASTY}"]])]),
        ],
        failures=[Failure(f"Failure {NASTY}", f"kind {NASTY}", f"folder {NASTY}", f"lines {NASTY}", f"run {NASTY}")],
        configuration=f"# Configuration {NASTY}\n[loop]\n",
        versions={f"Program {NASTY}": f"Version {NASTY}"},
    )


def test_all_text_is_there_and_escaped(whole, figure):
    reader = read(whole, figure.png.parents[1])
    assert reader.all("script") == []
    everywhere = [
        "Title",
        "Subtitle",
        "Label",
        "Value",
        "Note",
        "Section",
        "Text",
        "Caption",
        "Head",
        "Cell",
        "Failure",
    ]
    everywhere += ["kind", "folder", "lines", "run", "# Configuration", "Program", "Version"]
    for beginning in everywhere:
        assert f"{beginning} {NASTY}" in reader.words, beginning


@pytest.mark.parametrize("template", ["{{ page.titel }}", "{{ titel }}", "{% if page.titel %}{% endif %}"])
def test_a_name_that_a_template_misspells_is_an_error(template):
    with pytest.raises(UndefinedError, match="titel"):
        environment().from_string(template).render(page=Page("p"))


def test_what_the_page_is_made_of_is_in_the_package():
    """Every file that a checkout has is in the package that is imported, and every template is used."""
    folder = files("nnpal.active_learning.report") / "templates"
    names = {path.name for path in folder.iterdir()}
    assert names >= {"page.html.j2", "page.css"}
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in names}
    for name in names - {"page.html.j2", "page.css"}:
        assert any(f'"{name}"' in text for text in texts.values()), name


def test_text_of_figures_is_escaped(figure, tmp_path):
    files = FigureFiles("a", f"T {NASTY}", f"C {NASTY}", f"A {NASTY}", figure.png, figure.pdf, figure.csv)
    reader = read(Page("page", sections=[Section("s", [files])]), tmp_path)
    assert reader.all("img")[0]["alt"] == f"A {NASTY}"
    assert f"C {NASTY}" in reader.words
    assert f"T {NASTY}." in reader.words


def test_the_style_sheet_is_within_the_page_as_it_is(tmp_path):
    css = (files("nnpal.active_learning.report") / "templates/page.css").read_text(encoding="utf-8")
    assert f"<style>\n{css}</style>" in write_page(tmp_path / "report.html", Page("p")).read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in css
    assert "@media print" in css


def test_page_needs_no_network(whole, figure):
    folder = figure.png.parents[1]
    reader = read(whole, folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|url\(|@import|//[a-z]", re.sub(r"base64,[^\"]*", "", text))
    for tag, attributes in reader.tags:
        assert tag not in ("link", "iframe", "object", "script", "form")
        if "src" in attributes:
            assert attributes["src"].startswith("data:image/png;base64,")
    policy = next(m["content"] for m in reader.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_images_decode_and_links_lead_to_files(whole, figure):
    folder = figure.png.parents[1]
    reader = read(whole, folder)
    images = reader.all("img")
    assert len(images) == 2
    for attributes in images:
        content = base64.b64decode(attributes["src"].split(",")[1], validate=True)
        assert content == figure.png.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            assert image.size == (int(attributes["width"]), int(attributes["height"]))
        assert attributes["alt"] == "Last MAE in meV/atom: train 2"
    links = [a["href"] for a in reader.all("a") if not a["href"].startswith("#")]
    assert [(folder / unquote(link)).resolve() for link in links] == [
        p.resolve() for p in (figure.csv, figure.pdf, figure.png)
    ] * 2
    assert not any(link.startswith(("/", "file:")) for link in links)


def test_reading_aids(whole, figure):
    reader = read(whole, figure.png.parents[1])
    assert reader.all("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in reader.all("meta")
    assert any(m.get("name") == "viewport" and "width=device-width" in m["content"] for m in reader.all("meta"))
    assert len(reader.all("h1")) == len(reader.all("title")) == len(reader.all("main")) == 1
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in reader.tags:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids
    assert {a["href"][1:] for a in reader.all("a") if a["href"].startswith("#")} <= set(ids)
    levels = [int(tag[1]) for tag, _ in reader.tags if re.fullmatch("h[1-6]", tag)]
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert all(th["scope"] in ("row", "col") for th in reader.all("th"))


def test_sections_of_one_name_have_anchors_of_their_own(tmp_path):
    reader = read(
        Page("p", sections=[Section("Failures"), Section("Failures 2"), Section("Failures"), Section("µ")]), tmp_path
    )
    ids = [attributes["id"] for attributes in reader.all("section") if "id" in attributes]
    assert len(ids) == len(set(ids)) == 5


def test_empty_page(tmp_path):
    reader = read(Page("Nothing"), tmp_path / "new" / "folder")
    assert "Nothing failed." in reader.words
    assert "Configuration" not in reader.words
    assert read(Page("Nothing", sections=[Section("Empty")]), tmp_path).words.count("Nothing yet.") == 1


def test_same_page_same_bytes(whole, figure, tmp_path):
    one, two = (write_page(figure.png.parents[1] / name, whole).read_bytes() for name in ("one.html", "two.html"))
    assert one == two


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path, figure):
    path = write_page(tmp_path / "report.html", Page("old"))
    before = path.read_bytes()
    gone = FigureFiles("a", "", "", "", tmp_path / "gone.png", figure.pdf, figure.csv)
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        write_page(path, Page("new", sections=[Section("s", [gone])]))
    wrong = FigureFiles("a", "", "", "", figure.csv, figure.pdf, figure.csv)
    with pytest.raises(ValueError, match="not a PNG"):
        write_page(path, Page("new", sections=[Section("s", [wrong])]))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_failures_name_folder_and_command(tmp_path):
    failure = Failure(
        "exploration 3",
        "walltime",
        "iter-0002/explore/run-3",
        "",
        "python -m nnpal.active_learning.engine.task iter-0002",
    )
    words = read(Page("p", failures=[failure]), tmp_path).words
    assert "exploration 3 walltime Folder: iter-0002/explore/run-3 Run it again by hand, in the run's folder:" in words
    assert "python -m nnpal.active_learning.engine.task iter-0002" in words
    assert "Run it again" not in read(Page("p", failures=[Failure("labels", "label", "a", "b", "")]), tmp_path).words


@pytest.mark.parametrize(
    ("header", "row", "is_list"),
    [
        (["", "energy MAE", "force MAE"], ["training", 1.25, 31.5], False),
        (["", "energy MAE (meV/atom)", "after subtracting the mean", "(meV/Å)"], ["validation", 1.0, 2.0, 3.0], True),
        (["a", "b", "c", "d", "e"], [1, 2, 3, 4, 5], True),
    ],
)
def test_rows_of_tables_that_do_not_fit_a_phone_are_lists_there(tmp_path, header, row, is_list):
    section = Section("Errors", [Table("What it shows.", header, [row])])
    (table,) = read(Page("Title", sections=[section]), tmp_path).all("table")
    assert (table.get("class") == "wide") == is_list


def test_errors_of_several_sets_in_one_table():
    found = {"training": {"energy_mae": 0.001, "force_mae": 0.42}, "validation": {"relative_energy_mae": 0.0025}}
    rows = [[row[0], *(cell.text for cell in row[1:])] for row in errors_table(found).rows]
    assert rows == [["training", "1.00", "–", "420.00"], ["validation", "–", "2.50", "–"]]


def shown(fact: Fact) -> tuple[str, str, str]:
    return fact.cell.text, fact.cell.note, fact.cell.tone


def test_headline_facts_fill_their_rows():
    assert [fact_columns(n) for n in (4, 5, 6, 8, 9, 10, 12)] == [4, 5, 3, 4, 3, 5, 4]
    assert [-n % fact_columns(n) for n in (7, 11, 13)] == [1, 1, 2]


def test_headline_facts():
    assert shown(convergence("steady", converged=True)) == ("yes", "steady", "good")
    assert shown(convergence("20 iterations spent", converged=False)) == ("no", "20 iterations spent", "bad")
    assert shown(convergence(None, converged=None)) == ("not yet", "", "warning")
    close = activation(88.4 * KCAL, 88.7 * KCAL)
    assert shown(close) == ("88.40 kcal/mol", "oracle 88.70; error −0.30, bound 1", "warning")  # no interval
    assert shown(activation(90.0 * KCAL, 88.7 * KCAL))[2] == "bad"
    assert shown(activation(90.0 * KCAL, 88.7 * KCAL, bound=2.0))[2] == "warning"
    assert shown(activation(NAN, 88.7 * KCAL)) == ("not known", "oracle 88.70", "warning")
    assert shown(activation(None, None)) == ("not known", "oracle –", "warning")
    assert shown(labels_used(1500, of=20_000)) == ("1,500", "of 20,000 sampled (7.5 %)", "plain")
    assert shown(labels_used(200, of=200, what="translated")) == ("200", "of 200 translated (100 %)", "plain")
    assert shown(labels_used(3)) == ("3", "", "plain")
    assert shown(ending("all 10 pools are distilled", "10 of 10")) == (
        "all 10 pools are distilled",
        "10 of 10",
        "plain",
    )
    assert shown(ending(None)) == ("nothing yet", "", "plain")
    assert shown(error_fact("Force MAE (meV/Å)", 419.876, "the test set")) == ("419.88", "on the test set", "plain")
    assert shown(iterations_done(2, of=9)) == ("2", "of 9 at most", "plain")
    found = classes({"accurate": 900, "candidate": 90, "failed": 10})
    assert [shown(fact) for fact in found] == [
        ("900", "90.0 % of 1,000 frames", "plain"),
        ("90", "9.0 % of 1,000 frames", "plain"),
        ("10", "1.0 % of 1,000 frames", "bad"),
    ]
    assert [fact.cell.note for fact in classes({})] == ["no frames"] * 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (NAN, "–"),
        (True, "yes"),
        (-20000, "−20,000"),
        (0.00012345, "0.0001234"),
        (-math.inf, "−∞"),
        ("a-b", "a-b"),
    ],
)
def test_how_values_are_written(value, text):
    assert text_of(value) == text


def test_table_of_iterations(tmp_path):
    counts = {"accurate": 1, "candidate": 3}
    summaries = [
        IterationSummary(0, 10, 5, counts, 0.0123, None, 100.0 * KCAL),
        IterationSummary(1, 15, 0, {}, NAN, None, NAN, note="all pulls failed"),
    ]
    table = iteration_table(summaries, oracle=99.5 * KCAL)
    assert [name for name in table.header if "force" in name] == []  # nothing is known of it
    first, second = (dict(zip(table.header, row, strict=True)) for row in table.rows)
    assert (first["candidate"].text, first["candidate"].note) == ("3", "75.0 %")
    assert first["energy MAE (meV/atom)"].text == "12.30"
    assert (first["error of E_a (kcal/mol)"].text, first["error of E_a (kcal/mol)"].tone) == ("0.50", "warning")
    assert (second["E_a (kcal/mol)"].text, second["error of E_a (kcal/mol)"].text) == ("–", "–")
    assert second["iteration"].note == "all pulls failed"
    words = read(Page("p", sections=[Section("s", [table, iteration_table([])])]), tmp_path).words
    assert "oracle: 99.50 kcal/mol" in words
    assert "nothing yet" in words


def test_table_of_grids_is_table_s3():
    table = grid_table([0.7, 3.0], [4139, 1506], [2095, 2633])
    assert [row[:4] for row in table.rows] == [["0.7", 4139, 2095, 6234], ["3", 1506, 2633, 4139]]


def crystals(*values: tuple[float, float]) -> list[Crystal]:
    return [Crystal(name, *value) for name, value in zip(("fcc", "bcc", "hcp"), values, strict=True)]


def test_table_of_relaxed_crystals_is_table_s6(tmp_path):
    table = relax_table(
        crystals((2.49, -4.876), (2.41, -4.833), (2.44, -4.847)),
        {
            "full": crystals((2.46, -4.896), (2.45, -4.803), (2.43, -4.848)),
            "distilled": crystals((2.50, -4.875), (2.41, -4.812), (2.46, -4.835)),
            "wrong": crystals((2.50, -4.800), (2.41, -4.812), (2.46, -4.835)),
            "failed": crystals((2.50, -4.875), (NAN, NAN), (2.46, -4.835)),
        },
    )
    texts = [[(cell if isinstance(cell, Cell) else Cell(cell)).text for cell in row] for row in table.rows]
    assert [row[0] for row in texts] == ["oracle", "full", "distilled", "wrong", "failed"]
    assert texts[1][1] == "2.460 Å, −4.8960 eV"
    # 0.08 Å and 50 meV/atom, 0.03 Å and 20 meV/atom: Supplementary Note 5
    assert [row[4:] for row in texts[:3]] == [["–"] * 3, ["0.080", "50.0", "yes"], ["0.030", "20.0", "yes"]]
    assert [row[6] for row in texts[3:]] == ["no", "–"]
    notes = [cell.note.replace("\N{NO-BREAK SPACE}", " ") for cell in table.rows[1][1:4]]
    assert notes == ["lowest (−0.030 Å, −20.0 meV)", "highest (+0.040 Å, +30.0 meV)", "2 of 3 (−0.010 Å, −1.0 meV)"]
    assert (table.rows[4][2].value, table.rows[4][2].tone) == ("did not relax", "bad")
    assert "did not relax" in read(Page("p", sections=[Section("s", [table])]), tmp_path).words


def test_tables_of_other_crystals_or_widths_are_refused():
    with pytest.raises(ValueError, match=r"m has \['a'\], expected the oracle's \['b'\]"):
        relax_table([Crystal("b", 2.0, -1.0)], {"m": [Crystal("a", 2.0, -1.0)]})
    with pytest.raises(ValueError, match="row 1 has 1 cells, expected 2"):
        Table("t", ["a", "b"], [[1, 2], [3]])
