package tariff

import (
	"errors"
	"math/big"
	"strconv"
	"strings"

	"github.com/iot-smart-meter/smartmeter"
)

// Micro is an amount of money in millionths of its currency's unit.
type Micro int64

// microDigits are the decimals that a Micro has.
const microDigits = 6

var errMicro = errors.New("must be a decimal like 0.3199, with at most six digits after the point and twelve before it")

// ParseMicro reads a decimal like 0.3199.
func ParseMicro(s string) (Micro, error) {
	whole, fraction, point := strings.Cut(s, ".")
	negative := strings.HasPrefix(whole, "-")
	whole = strings.TrimPrefix(whole, "-")
	if !isDigits(whole) || len(whole) > 12 || point && !isDigits(fraction) || len(fraction) > microDigits {
		return 0, errMicro
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", microDigits-len(fraction)), 10, 64)
	if err != nil {
		return 0, errMicro
	}
	if negative {
		n = -n
	}
	return Micro(n), nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// String writes the shortest decimal.
func (m Micro) String() string {
	s := decimal(big.NewInt(int64(m)), microDigits)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// Cost is what energy cost, exactly. The zero value is a cost that nobody knows;
// what it is added to is not known either.
type Cost struct {
	nano *big.Int // billionths of the currency's unit; never changed
}

// nanoDigits are the decimals of a Wh's cost: those of a price in millionths per
// kWh, and three for the kilo.
const nanoDigits = 9

// Of returns what energy costs at a price per kWh.
func Of(energy smartmeter.WattHour, perKWh Micro) Cost {
	n := big.NewInt(int64(energy))
	return Cost{n.Mul(n, big.NewInt(int64(perKWh)))}
}

// Known reports whether the cost is known.
func (c Cost) Known() bool { return c.nano != nil }

// Plus returns the sum of two costs.
func (c Cost) Plus(d Cost) Cost {
	if !c.Known() || !d.Known() {
		return Cost{}
	}
	return Cost{new(big.Int).Add(c.nano, d.nano)}
}

// Minus returns the difference of two costs.
func (c Cost) Minus(d Cost) Cost {
	if !c.Known() || !d.Known() {
		return Cost{}
	}
	return Cost{new(big.Int).Sub(c.nano, d.nano)}
}

// Round writes the cost with so many decimals, 0 to 9, rounded half away from
// zero; "" if it is not known.
func (c Cost) Round(decimals int) string {
	if !c.Known() {
		return ""
	}
	step := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(nanoDigits-decimals)), nil)
	half := new(big.Int).Rsh(step, 1) // of 1 none is needed: then there is no rest
	if c.nano.Sign() < 0 {
		half.Neg(half)
	}
	sum := new(big.Int).Add(c.nano, half)
	return decimal(sum.Quo(sum, step), decimals) // Quo cuts towards zero
}

// decimal writes n / 10^decimals.
func decimal(n *big.Int, decimals int) string {
	digits := new(big.Int).Abs(n).String()
	digits = strings.Repeat("0", max(0, decimals+1-len(digits))) + digits
	s := digits[:len(digits)-decimals]
	if decimals > 0 {
		s += "." + digits[len(digits)-decimals:]
	}
	if n.Sign() < 0 {
		s = "-" + s
	}
	return s
}
