// Package access says who may do what: people and their scripts at the API,
// nodes at the broker. It is pure: it decides, and keeps nothing.
//
// # What is promised
//
// Nobody may do anything that the table in role.go, or MayTopic for topics, does
// not list. The zero values of all types here are trusted with nothing.
//
// # What it is not
//
// It does not find out who somebody is: a [Principal] is made by whoever has
// checked a password, a token or a node's secret. It knows no HTTP and no MQTT:
// status codes and connections belong to those who call it.
package access
