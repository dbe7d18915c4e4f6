package mqtt_test

import (
	"fmt"
	"log/slog"
	"net"

	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
)

// A program that serves clients on a port, confines each of them to its own
// topics, and takes part itself.
func Example() {
	broker := mqtt.New(mqtt.Config{
		Logger: slog.Default(),
		Hooks: mqtt.Hooks{
			Authorize: func(who mqtt.Identity, _ mqtt.Access, topic string, _ bool, _ byte) bool {
				return mqtt.Covers("dev/"+who.ClientID+"/#", topic)
			},
		},
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- broker.Serve(listener) }()

	_, err = broker.Subscribe("dev/+/state", func(m mqtt.Message) {
		fmt.Printf("%s is %s (local: %v)\n", m.Topic, m.Payload, m.From.Local)
	})
	if err != nil {
		fmt.Println(err)
	}
	if err := broker.Publish(mqtt.Message{Topic: "dev/fridge/state", Payload: []byte("on"), QoS: 1, Retain: true}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(broker.Close(), <-served)
	// Output:
	// dev/fridge/state is on (local: true)
	// <nil> <nil>
}
