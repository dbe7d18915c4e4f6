package wire

// fields is a set of the contract's field names.
type fields uint64

// The fields of all payloads together; a few are shared by several of them.
const (
	fieldAt fields = 1 << iota
	fieldBeforeT
	fieldBoot
	fieldCaps
	fieldChannels
	fieldConfigRev
	fieldConsumptionKWh
	fieldCurrent
	fieldCurrentMA
	fieldEnergy
	fieldEnergyWh
	fieldExceededAt
	fieldFallback
	fieldField
	fieldFirst
	fieldFrequency
	fieldFirmware
	fieldHeartbeat
	fieldHoldMs
	fieldID
	fieldKind
	fieldLeaseUntilT
	fieldLimitKWh
	fieldLimits
	fieldMaxOnS
	fieldMaxSwitchesPerMin
	fieldMetrics
	fieldMinOffS
	fieldMinOnS
	fieldModel
	fieldOK
	fieldPowerFactor
	fieldPower
	fieldPowerDW
	fieldPowerUp
	fieldProto
	fieldReason
	fieldRelay
	fieldResult
	fieldRev
	fieldSeq
	fieldSet
	fieldState
	fieldT
	fieldVoltage
)

// fieldNames are the fields' names on the wire, sorted, in the order of the
// constants above.
var fieldNames = [...]string{
	"at", "before_t", "boot", "caps", "channels", "config_rev", "consumption_kwh",
	"current", "current_ma", "energy", "energy_wh", "exceeded_at", "fallback",
	"field", "first", "frequency", "fw", "heartbeat", "hold_ms", "id", "kind",
	"lease_until_t", "limit_kwh", "limits", "max_on_s", "max_switches_per_min",
	"metrics", "min_off_s", "min_on_s", "model", "ok", "pf", "power", "power_dw",
	"power_up", "proto", "reason", "relay", "result", "rev", "seq", "set", "state",
	"t", "voltage",
}

// fieldOf returns the field with a name, 0 if the contract has none.
func fieldOf(name []byte) fields {
	low, high := 0, len(fieldNames)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if fieldNames[mid] < string(name) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(fieldNames) && fieldNames[low] == string(name) {
		return 1 << low
	}
	return 0
}
