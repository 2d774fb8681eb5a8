"""How much is generated for an Afnemer."""

from conformance.stage.drawing import Drawing


def test_quick_run_draws_less():
    """
    A quick run draws a part of what another one does, with the same seed.
    """
    quick, whole = Drawing.of(4, is_quick=True), Drawing.of(4, is_quick=False)

    assert quick.seed == whole.seed == 4
    assert 0 < quick.examples < whole.examples
