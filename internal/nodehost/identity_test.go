package nodehost

import (
	"net"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
)

func TestIDIsOfTheHardware(t *testing.T) {
	loopback := net.Interface{Index: 1, Name: "lo"}
	bridge := net.Interface{Index: 2, Name: "docker0", HardwareAddr: net.HardwareAddr{0x02, 0x42, 1, 2, 3, 4}}
	ethernet := net.Interface{Index: 4, Name: "eth0", HardwareAddr: net.HardwareAddr{0xB8, 0x27, 0xEB, 1, 2, 3}}
	wifi := net.Interface{Index: 5, Name: "wlan0", HardwareAddr: net.HardwareAddr{0xB8, 0x27, 0xEB, 4, 5, 6}}
	for name, tt := range map[string]struct {
		interfaces []net.Interface
		want       smartmeter.NodeID
	}{
		"all":          {[]net.Interface{loopback, bridge, wifi, ethernet}, "linux-b827eb010203"},
		"no Ethernet":  {[]net.Interface{loopback, bridge, wifi}, "linux-b827eb040506"},
		"invented":     {[]net.Interface{loopback, bridge}, "linux-024201020304"},
		"no interface": {[]net.Interface{loopback}, ""},
	} {
		if got, err := idOf(tt.interfaces); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %s, %v; want %s", name, got, err, tt.want)
		}
	}
}
