package api

import (
	"fmt"
	"net"
	"strings"

	"rsc.io/qr"

	"github.com/iot-smart-meter/smartmeter"
)

// Ready-made settings for nodes: what a person copies from the dashboard into
// a terminal, the console of Tasmota or the YAML of ESPHome.

// hostOf returns the name in a Host header.
func hostOf(hostPort string) string {
	host := hostPort
	if h, _, err := net.SplitHostPort(hostPort); err == nil {
		host = h
	}
	return strings.Trim(host, "[]")
}

func pairingCommand(code smartmeter.PairingCode, id smartmeter.NodeID, host string, port int) string {
	command := "smartmeter node --serial /dev/ttyUSB0 --data ./node --mqtt mqtts://" + net.JoinHostPort(host, fmt.Sprint(port)) + " --pair " + code.String()
	if id != "" {
		command += " --id " + string(id)
	}
	return command
}

// tasmota returns commands for a build with TLS (Tasmota documentation,
// "MQTT" and "TLS"): its topics are then its own, below its id.
func tasmota(n acceptedNode, host string, port int) string {
	return fmt.Sprintf("Backlog MqttHost %s; MqttPort %d; SetOption103 1; MqttClient %s; MqttUser %s; MqttPassword %s; Topic %s; FullTopic dev/%%topic%%/%%prefix%%/",
		host, port, n.ID, n.User, n.Password, n.ID)
}

// esphome returns the YAML that makes ESPHome speak the fielded forms of
// docs/protocol.md (ESPHome documentation, "MQTT Client Component").
func esphome(n acceptedNode, host string, port int, authority string) string {
	return strings.NewReplacer(
		"HOST", host, "PORT", fmt.Sprint(port), "NODE", n.ID, "SECRET", n.Password,
		"CERTIFICATE", strings.ReplaceAll(strings.TrimSpace(authority), "\n", "\n    "),
	).Replace(esphomeRecipe)
}

const esphomeRecipe = `# Give your PZEM's sensors the ids pzem_voltage, pzem_current and pzem_power,
# and the relay's switch the id pzem_relay.
mqtt:
  broker: HOST
  port: PORT
  client_id: NODE
  username: NODE
  password: "SECRET"
  discovery: false
  log_topic: null
  topic_prefix: dev/NODE/esphome
  birth_message: {topic: dev/NODE/status, payload: Online, retain: true}
  will_message: {topic: dev/NODE/status, payload: Offline, qos: 1, retain: true}
  certificate_authority: |
    CERTIFICATE
  on_message:
    - {topic: dev/NODE/relay/commands, payload: RELAY_ON, then: [switch.turn_on: pzem_relay]}
    - {topic: dev/NODE/relay/commands, payload: RELAY_OFF, then: [switch.turn_off: pzem_relay]}
interval:
  - interval: 5s
    then:
      - mqtt.publish_json:
          topic: dev/NODE/pzem/metrics
          payload: |-
            root["voltage"] = id(pzem_voltage).state;
            root["current"] = id(pzem_current).state;
            root["power"] = id(pzem_power).state;
      - mqtt.publish:
          topic: dev/NODE/relay/state
          payload: !lambda 'return id(pzem_relay).state ? "1" : "0";'
          retain: true
  - interval: 30s
    then:
      - mqtt.publish: {topic: dev/NODE/heartbeat, payload: Alive}
`

// qrPicture is a QR code for an SVG: a square of size by size, and the path of
// its dark points.
type qrPicture struct {
	Size int    `json:"size"`
	Path string `json:"path"`
}

func drawQR(text string) (*qrPicture, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, err
	}
	const quiet = 4 // ISO/IEC 18004 section 5.3.8: the margin
	picture := &qrPicture{Size: code.Size + 2*quiet}
	var path strings.Builder
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	picture.Path = path.String()
	return picture, nil
}
