// Package tariff says what energy cost: so many watt-hours, at the price per kWh
// that held when they were used.
//
// Money is exact. A price is a whole number of millionths of the currency's
// unit, energy is in whole watt-hours, so what they come to is a whole number of
// billionths. Those are added up, and rounded once, half away from zero, when
// somebody wants to read the sum. No float comes near it. The other side of that:
// figures that were rounded each on its own need not add up to the rounded whole.
//
// A tariff is flat: one price for the whole site at a time, from a date of the
// site's calendar on. What was used before the first one has no price, which is
// not the same as free: a Cost knows the difference.
//
// The package is pure: it knows no clock, no store and no zone but the one that
// it is given. It does not know times of use, standing charges or taxes.
package tariff
