"""The class lists that need not be written down again."""

from collections import Counter
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Literal

from shards.sample import ClassList

BuiltinClasses = Literal["cifar10", "cifar100", "imagenet", "mnist", "fashion-mnist"]

CIFAR10_CLASSES = ClassList.of_names(
    ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
)
_CIFAR100_FINE = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle
bowl boy bridge bus butterfly camel can castle caterpillar cattle
chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur
dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard
lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain
mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
plain plate poppy porcupine possum rabbit raccoon ray road rocket
rose sea seal shark shrew skunk skyscraper snail snake spider
squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor
train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
CIFAR100_CLASSES = ClassList.of_names(tuple(_CIFAR100_FINE.split()))
"""The fine classes; CIFAR-100 numbers them by the alphabet."""

_CIFAR100_COARSE = """
aquatic_mammals fish flowers food_containers fruit_and_vegetables
household_electrical_devices household_furniture insects large_carnivores
large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores
medium_mammals non-insect_invertebrates people reptiles small_mammals trees
vehicles_1 vehicles_2
"""
CIFAR100_COARSE = tuple(_CIFAR100_COARSE.split())
"""The 20 superclasses of CIFAR-100, five classes each."""

MNIST_CLASSES = ClassList.of_names(tuple("0123456789"))
FASHION_MNIST_CLASSES = ClassList.of_names(
    (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
)


def imagenet_classes() -> ClassList:
    """The 1,000 classes of ILSVRC2012: sorted WordNet ids, and the first word of each synset.

    Words: WordNet 3.0, Princeton University; the licence stands in the head of the table.
    """
    table = resources.files("shards.sources").joinpath("imagenet_classes.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return ClassList(names=tuple(row[1] for row in rows), ids=tuple(row[0] for row in rows))


_LISTS: Mapping[BuiltinClasses, Callable[[], ClassList]] = {
    "cifar10": lambda: CIFAR10_CLASSES,
    "cifar100": lambda: CIFAR100_CLASSES,
    "imagenet": imagenet_classes,
    "mnist": lambda: MNIST_CLASSES,
    "fashion-mnist": lambda: FASHION_MNIST_CLASSES,
}


def builtin_classes(name: BuiltinClasses) -> ClassList:
    """The class list called ``name``, in the order of its publisher."""
    return _LISTS[name]()


def label_index(classes: ClassList) -> dict[str, int]:
    """Class ids, then names that are unique, to class indices; and the indices themselves, unless
    ids or names are numbers too, which would give one label two meanings.
    """
    counted = Counter(classes.names)
    ambiguous = any(word.isdecimal() for word in (*classes.ids, *classes.names))
    numbers = {} if ambiguous else {str(index): index for index in range(len(classes))}
    names = {name: index for index, name in enumerate(classes.names) if counted[name] == 1}
    return numbers | names | {key: index for index, key in enumerate(classes.ids)}
