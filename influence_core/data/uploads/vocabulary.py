"""Words that stand for missing values, truth, codes, currencies and units in the tables that people bring."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Between numbers each of these is a gap.
MARKERS = (
    _words("? ?? - -- --- – — − . .. ... … * ** / // : n.a. n.a n/a na nan -nan null (null) none nil <na> nat #n/a #na")
    | _words(
        "#value! #div/0! #ref! #num! #null! #name? \\n missing unknown undefined void blank empty k.a. n.d. nd n.v."
    )
    | _words("tbd 1.#ind 1.#qnan -1.#ind -1.#qnan")
    | {"", "n. a.", "k. a.", "#n/a n/a", "not available", "not applicable", "no data"}
)
# Between texts only these are, because NA, None and - can be values.
TEXT_GAPS = frozenset({"", "?", "nan", "<na>", "nat", "#n/a", "\\n"})
TRUTHS = (frozenset({"true", "false"}), frozenset({"yes", "no"}))
POSTAL = _words("zip zipcode postal postalcode postcode plz cep pincode fips")
CURRENCIES = _words(
    "usd eur gbp chf jpy inr cny rmb aud cad nzd sek nok dkk pln czk huf brl zar mxn krw try rub rs rs. us$ r$ a$ c$ "
    "nz$ hk$ s$ kr kr. zł kč ft fr fr."
)
UNITS = _words(
    "nm µm mm cm dm m km ft in mi yd mg g kg t lb lbs oz ms s sec min h hr hrs d y yr yrs ml cl l gal px pt kb mb gb "
    "tb b w kw mw kwh v mv a ma hz khz mhz ghz mph kmh km/h m/s mpg cc bhp hp ps n j kj kcal cal pa hpa kpa bar mmhg "
    "mol mmol k c f day days year years month months hour hours people persons"
)
