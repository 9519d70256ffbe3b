"""The declarations of the methods: one file and one row in `METHODS` each."""

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.methods import (
    adamatch,
    dctn,
    doge,
    energynet,
    fine_tune,
    fixmatch,
    gradmix,
    gradmix_fixmatch,
    gradmix_mixmatch,
    gradmix_sgd,
    gradmix_softmatch,
    gradmix_vat,
    joint,
    mdda,
    mme,
    sla,
    softmatch,
    source_only,
    target_only,
    upgrad,
)

METHODS: dict[str, Declaration] = {
    method.DECLARATION.name: method.DECLARATION
    for method in (
        target_only,
        source_only,
        joint,
        fine_tune,
        energynet,
        gradmix,
        gradmix_sgd,
        gradmix_vat,
        gradmix_mixmatch,
        gradmix_fixmatch,
        gradmix_softmatch,
        mme,
        mdda,
        dctn,
        doge,
        upgrad,
        sla,
        fixmatch,
        softmatch,
        adamatch,
    )
}
"""The methods by name, in the order in which they are listed."""


def method_named(name: str) -> Declaration:
    """Look up a method by name.

    Raises:
        ValueError: if there is no such method.
    """
    if name not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}. Found {name!r}.")
    return METHODS[name]
