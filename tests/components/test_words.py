"""Numbers of one view have one factor and three digits, and units say it."""

import numpy as np
import pytest

from pages.components.session.words import Form, counted, form_of, signed


@pytest.mark.parametrize("largest", [7e-9, 2.4e-4, 0.0099, 0.012, 0.9996, 4.2, 999.0, 1003.379, 5e7])
def test_the_largest_number_of_a_view_has_one_to_three_digits_before_the_point(largest):
    form = form_of(np.array([largest / 7, -largest, np.nan]), "nats")
    if 0.01 <= largest < 1000:
        assert form == Form(0, "nats")
    else:
        assert 1 <= form.scale(np.array([largest]))[0] < 10
    text = form.text(-largest)
    assert text.startswith("−") and "e" not in text
    assert float(text.replace("−", "-").replace(",", "")) * 10.0**form.power == pytest.approx(-largest, rel=6e-3)


@pytest.mark.parametrize("value", [1.2345e-9, 0.00023, 0.000239, 9.999, 99.95, 1234.5, -0.9996, 3e-12])
def test_three_digits_trailing_zeros_and_no_exponent(value):
    text = signed(value)
    digits = text.lstrip("+−").replace(",", "")
    assert float(digits) == pytest.approx(abs(value), rel=6e-3)
    if abs(value) < 99:
        assert len(digits.replace(".", "").lstrip("0")) == 3


def test_units_carry_the_factor():
    assert Form(-4, "nats").scaled_unit == "10⁻⁴ nats"
    assert Form(12, "target units").scaled_unit == "10¹² target units"
    assert Form(-4, "a ranking without unit").scaled_unit == "a ranking without unit, times 10⁻⁴"
    assert Form(0, "nats").scaled_unit == "nats"
    assert form_of(np.zeros(3), "nats") == form_of(np.array([]), "nats") == Form(0, "nats")


def test_one_step_is_no_steps():
    assert [counted(n, "step") for n in (0, 1, 1200)] == ["0 steps", "1 step", "1,200 steps"]
