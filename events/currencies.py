"""Minor units of currencies, by ISO 4217.

Not by CLDR, from which libraries such as babel have their digits: these are for display, with none for HUF or IDR.
"""

from functools import cache

_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}


@cache
def decimals(currency: str) -> int:
    """How many digits after the point the minor unit of a currency stands for: 2 unless ISO 4217 says otherwise."""
    return next((digits for digits, currencies in _DECIMALS.items() if currency in currencies.split()), 2)
