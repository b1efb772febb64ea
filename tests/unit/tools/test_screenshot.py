"""A screenshot shows saved lines as a terminal does."""

from xml.etree import ElementTree

from tools.screenshot import WIDTH, svg


def texts(svg: str) -> list[str]:
    found = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return [text for each in found if (text := (each.text or "").replace("\xa0", " ").rstrip())]


def test_screenshot_shows_its_title_and_the_lines_as_they_are() -> None:
    assert texts(svg("make demo", ["in   out", "", "<3>  [bold]4"])) == ["make demo", "in   out", "<3>  [bold]4"]


def test_line_that_is_too_long_is_cut_off() -> None:
    assert texts(svg("", ["x" * WIDTH, "y" * (WIDTH + 1)])) == ["x" * WIDTH, "y" * (WIDTH - 1) + "…"]


def test_screenshot_loads_nothing_from_elsewhere() -> None:
    assert "url(http" not in svg("make demo", ["ok"]).replace('"', "")
