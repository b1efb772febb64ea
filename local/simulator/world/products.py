"""Products that can be ordered, with names, categories and prices: the same in every run."""

from dataclasses import dataclass
from random import Random

SEED = 1
ON_OFFER = 200
"""Number of products that the shop lists from the beginning and sells: 1 to 200."""
LEFTOVERS, LEFTOVER = 40, "leftover-"
"""Number of further products in the shop's list that are never ordered, and prefix of their ids: only these are ever
removed."""

GOODS = {
    "books": ("Atlas", "Cookbook", "Dictionary", "Novel", "Picture Book", "Travel Guide"),
    "clothing": ("Coat", "Jumper", "Raincoat", "Scarf", "Shirt", "Trousers"),
    "cosmetics": ("Face Cream", "Hand Soap", "Perfume", "Shampoo", "Sun Cream", "Toothbrush"),
    "electronics": ("Camera", "Headphones", "Keyboard", "Loudspeaker", "Radio", "Torch"),
    "food": ("Chocolate", "Coffee", "Honey", "Olive Oil", "Pasta", "Tea"),
    "furniture": ("Armchair", "Bookcase", "Desk", "Lamp", "Stool", "Wardrobe"),
    "garden": ("Deckchair", "Flower Pot", "Hose", "Lawn Mower", "Rake", "Watering Can"),
    "kitchen": ("Bread Knife", "Frying Pan", "Kettle", "Mixing Bowl", "Scales", "Toaster"),
    "shoes": ("Boots", "Clogs", "Sandals", "Slippers", "Trainers", "Walking Shoes"),
    "sports": ("Bicycle Bell", "Football", "Racket", "Rucksack", "Sleeping Bag", "Yoga Mat"),
    "tools": ("Cordless Drill", "Hammer", "Pliers", "Saw", "Screwdriver", "Spirit Level"),
    "toys": ("Building Blocks", "Doll", "Jigsaw", "Kite", "Spinning Top", "Teddy Bear"),
}
"""Names of goods by category."""
CATEGORIES = tuple(GOODS)
MAKES = ("Aalto", "Birch", "Corvo", "Delta", "Elster", "Fjord", "Gale", "Harbour", "Isar", "Juno", "Kestrel", "Lumen")


@dataclass(frozen=True, slots=True)
class Product:
    """A product that can be ordered."""

    product_id: str
    name: str
    category: str
    price_euro_cents: int


def products_on_offer() -> tuple[Product, ...]:
    """Return the products that the order service sells."""
    prices = Random(f"{SEED}/products")
    return tuple(_product(_id(number), number, prices) for number in range(1, ON_OFFER + 1))


def upcoming_product(number: int) -> Product:
    """Return an upcoming product, from number 0 on. Its product id continues after those on offer."""
    number += ON_OFFER + 1
    return _product(_id(number), number, Random(f"{SEED}/product {number}"))


def leftovers() -> tuple[Product, ...]:
    """Return the products that are never ordered."""
    prices = Random(f"{SEED}/leftovers")
    return tuple(_product(f"{LEFTOVER}{number:04d}", number, prices) for number in range(1, LEFTOVERS + 1))


def _id(number: int) -> str:
    return f"product-{number:04d}"


def _product(product_id: str, number: int, prices: Random) -> Product:
    category = CATEGORIES[number % len(CATEGORIES)]
    make = MAKES[number // len(CATEGORIES) % len(MAKES)]
    name = f"{make} {Random(f'{SEED}/{product_id}').choice(GOODS[category])}"
    return Product(product_id, name, category, round(prices.lognormvariate(3.2, 0.8) * 100) + 99)
