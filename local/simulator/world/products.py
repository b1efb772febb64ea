"""What can be ordered? Products with their names, categories and prices: the same in every run."""

from dataclasses import dataclass
from random import Random

SEED = 1
ON_OFFER = 200
"""Numbers 1 to 200: listed by the shop from the beginning, and sold."""
LEFTOVERS, LEFTOVER = 40, "leftover-"
"""So many more, with ids that begin so, are listed by the shop, but nobody buys them: only these are ever removed."""

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
"""By category."""
CATEGORIES = tuple(GOODS)
MAKES = ("Aalto", "Birch", "Corvo", "Delta", "Elster", "Fjord", "Gale", "Harbour", "Isar", "Juno", "Kestrel", "Lumen")


@dataclass(frozen=True, slots=True)
class Product:
    """Something that can be ordered."""

    product_id: str
    name: str
    category: str
    price_euro_cents: int


def products_on_offer() -> tuple[Product, ...]:
    """Those that the order service sells."""
    prices = Random(f"{SEED}/products")
    return tuple(_product(_id(number), number, prices) for number in range(1, ON_OFFER + 1))


def upcoming_product(number: int) -> Product:
    """One that the shop is going to list, from number 0 on. Product ids go on where those on offer end."""
    number += ON_OFFER + 1
    return _product(_id(number), number, Random(f"{SEED}/product {number}"))


def leftovers() -> tuple[Product, ...]:
    """Those that nobody buys."""
    prices = Random(f"{SEED}/leftovers")
    return tuple(_product(f"{LEFTOVER}{number:04d}", number, prices) for number in range(1, LEFTOVERS + 1))


def _id(number: int) -> str:
    return f"product-{number:04d}"


def _product(product_id: str, number: int, prices: Random) -> Product:
    category = CATEGORIES[number % len(CATEGORIES)]
    make = MAKES[number // len(CATEGORIES) % len(MAKES)]
    name = f"{make} {Random(f'{SEED}/{product_id}').choice(GOODS[category])}"
    return Product(product_id, name, category, round(prices.lognormvariate(3.2, 0.8) * 100) + 99)
