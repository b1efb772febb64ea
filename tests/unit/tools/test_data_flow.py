"""The diagram of the data flow is the one of `jobs/flow.py`, and its layout leads every topic to every reader."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest

from connectors.kafka.topics import DEAD_LETTERS, ENRICHED_ORDERS, ORDERS, PAYMENTS, REVENUE
from jobs import flow
from jobs.flow import Program
from ops.page.flow_layout import Layout, laid_out
from tools.data_flow import DIAGRAM, README, image, svg

README_WIDTH, SMALLEST_TEXT = 830, 12

CHAIN = (
    Program("orders", writes=(ORDERS,)),
    Program("payments", writes=(PAYMENTS,)),
    Program("enrichment", reads=(ORDERS,), writes=(ENRICHED_ORDERS,)),
    Program("revenue", reads=(ENRICHED_ORDERS,), writes=(REVENUE,)),
    Program("warehouse", reads=(ORDERS, PAYMENTS, REVENUE), fills="rows", target="PostgreSQL"),
    Program("search", reads=(ENRICHED_ORDERS,), fills="documents", target="Elasticsearch"),
)


@pytest.fixture(scope="module")
def layout() -> Layout:
    """The layout of the whole data flow."""
    return laid_out(flow.PROGRAMS)


def names(layout: Layout) -> list[set[str]]:
    """The programs of each column."""
    return [{item.program.name for item in items if item.program} for items in layout.columns]


def test_diagram_is_the_one_that_the_data_flow_has() -> None:
    assert DIAGRAM.read_text("utf-8") == svg(), "run python -m tools.data_flow"


def test_readme_shows_the_diagram_with_the_data_flow_in_words() -> None:
    assert image() in README.read_text("utf-8"), "run python -m tools.data_flow"


def test_diagram_has_every_program_topic_and_target() -> None:
    diagram = ElementTree.fromstring(DIAGRAM.read_text("utf-8"))
    drawn = {text.text for text in diagram.iter("{http://www.w3.org/2000/svg}text")}

    declared = {
        name
        for program in flow.PROGRAMS
        for name in (program.name, program.target, *(topic.name for topic in program.writes))
    }

    assert declared - {""} <= drawn
    assert DEAD_LETTERS.name in drawn


def test_text_is_large_enough_at_the_width_of_the_readme() -> None:
    diagram = ElementTree.fromstring(DIAGRAM.read_text("utf-8"))

    assert 13 * README_WIDTH / float(diagram.attrib["width"]) >= SMALLEST_TEXT


def test_programs_are_right_of_those_they_read_from_and_targets_last() -> None:
    assert names(laid_out(CHAIN)) == [{"orders", "payments"}, {"enrichment"}, {"revenue"}, {"warehouse", "search"}]


def test_every_topic_has_a_way_from_its_writer_to_each_reader() -> None:
    layout = laid_out(CHAIN)

    reached = {
        (way.topic, reader.program.name)
        for ways in layout.ways
        for way in ways
        for reader in way.readers
        if reader.program
    }

    assert reached == {(topic, program.name) for program in CHAIN for topic in program.reads}


def test_items_of_a_column_lie_below_one_another(layout: Layout) -> None:
    for items in layout.columns:
        assert all(above.top + above.height < below.top for above, below in pairwise(items))


def test_tracks_of_two_ways_are_never_the_same(layout: Layout) -> None:
    for ways in layout.ways:
        tracks = [way.track for way in ways if way.top < way.bottom]
        assert len(tracks) == len(set(tracks))
