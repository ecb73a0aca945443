"""The confusion of many classes as a page carries it, to be drawn as closely as is looked."""

from tasks.metrics.scoring import Scoring
from tasks.metrics.words import class_labels
from tasks.report.galleries import GalleryNote
from tasks.report.similarity import similarity_order


def confusion_json(scoring: Scoring, gallery: GalleryNote | None, *, ordered: bool) -> object:
    """What ``evaluation.js`` draws and leads from.

    Args:
        scoring: the figures.
        gallery: what lies beside the page.
        ordered: by similarity, instead of by class index.
    """
    classes = len(scoring.support)
    order = similarity_order(scoring.confusion, scoring.support) if ordered else range(classes)
    return {
        "names": class_labels(scoring.class_names, scoring.class_ids),
        "support": scoring.support,
        "cells": scoring.confusion,
        "order": list(order),
        "places": list(gallery.places) if gallery else [],
        "folder": gallery.folder if gallery else "",
        "lists": dict(gallery.lists) if gallery else {},
        "copies": gallery.copies if gallery else 0,
        "matrix": ordered,
    }
