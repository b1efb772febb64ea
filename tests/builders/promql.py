"""What an expression in PromQL asks for."""

from promql_parser import Expr, VectorSelector, parse, walk


def metrics_in(expression: str) -> set[str]:
    """Return the names of the metrics that an expression asks for.

    Raises:
        ValueError: it doesn't parse.
    """
    names: set[str] = set()

    def visit(part: Expr) -> bool:
        if isinstance(part, VectorSelector) and part.name:
            names.add(part.name)
        return True

    walk(parse(expression), visit)
    return names
