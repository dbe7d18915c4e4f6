package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// DevicePath is the path of one device. It is exported because huma fills in
// embedded structs only when they are.
type DevicePath struct {
	ID string `path:"id" maxLength:"80" doc:"device id" example:"ESP32-a0b1c2d3"`
}

type body[T any] struct{ Body T }

type deviceList struct {
	Devices []device `json:"devices"`
}

// visible returns the devices that who asks may see.
func (a *api) visible(ctx context.Context) []smartmeter.DeviceStatus {
	who := whoAsks(ctx)
	return slices.DeleteFunc(a.hub.Devices(), func(s smartmeter.DeviceStatus) bool { return !who.Sees(s.Room) })
}

func (a *api) listDevices(ctx context.Context, _ *struct{}) (*body[deviceList], error) {
	list := deviceList{Devices: []device{}}
	for _, s := range a.visible(ctx) {
		list.Devices = append(list.Devices, showDevice(s))
	}
	return &body[deviceList]{list}, nil
}

func (a *api) getDevice(_ context.Context, in *DevicePath) (*body[device], error) {
	s, err := a.hub.Device(smartmeter.DeviceID(in.ID))
	if err != nil {
		return nil, a.fail(err)
	}
	return &body[device]{showDevice(s)}, nil
}

type deviceChange struct {
	DevicePath
	Body struct {
		Name *string `json:"name,omitempty" doc:"1 to 64 characters"`
		Room *string `json:"room,omitempty" doc:"up to 64 characters; empty for none"`
		Kind *string `json:"kind,omitempty" enum:"generic,must_stay_on,heater,compressor,lighting"`
		// Settings replace all that were chosen before.
		Settings *nodeSettings `json:"settings,omitempty" doc:"all that is chosen for the node: what is left out is as the kind has it, and of the intervals as the node has it"`
	}
}

func (a *api) changeDevice(ctx context.Context, in *deviceChange) (*body[device], error) {
	change := hub.DeviceChange{Name: in.Body.Name, Room: in.Body.Room, Settings: in.Body.Settings.parse()}
	if in.Body.Kind != nil {
		kind := smartmeter.LoadKind(*in.Body.Kind)
		change.Kind = &kind
	}
	s, err := a.hub.ChangeDevice(ctx, smartmeter.DeviceID(in.ID), change)
	if err != nil {
		return nil, a.fail(err)
	}
	return &body[device]{showDevice(s)}, nil
}

func (a *api) eraseDevice(ctx context.Context, in *DevicePath) (*struct{}, error) {
	if err := a.hub.EraseDevice(ctx, smartmeter.DeviceID(in.ID)); err != nil {
		return nil, a.fail(err)
	}
	return nil, nil
}

type switchRequest struct {
	DevicePath
	Body struct {
		On    bool   `json:"on"`
		For   string `json:"for,omitempty" doc:"how long an ON lasts: its node ends it, without hub or network; 1s to 168h" example:"30m"`
		Lease string `json:"lease,omitempty" doc:"how long an ON outlives the hub or the network: the hub renews it until something else is asked, and without that the node ends the ON; 2m to 24h, or none, where a heater has one of 5m by itself" example:"5m"`
		Wait  string `json:"wait,omitempty" default:"3s" doc:"how long to wait for the node's word, at most 30s" example:"3s"`
	}
}

type switchReply struct {
	State   string   `json:"state" enum:"on,off,unknown"`
	Command *command `json:"command"`
}

const maxWait = 30 * time.Second

// request reads the durations. Which of them make sense, the hub knows.
func (in *switchRequest) request() (hub.SwitchRequest, error) {
	req := hub.SwitchRequest{Device: smartmeter.DeviceID(in.ID), On: in.Body.On}
	var err error
	if req.Wait, err = time.ParseDuration(in.Body.Wait); err != nil || req.Wait < 0 || req.Wait > maxWait {
		return req, errWait
	}
	if req.For, err = positive(in.Body.For); err != nil {
		return req, smartmeter.NewError(smartmeter.Invalid, "body.for", "must be a duration from 1s to 168h, like 30m")
	}
	if req.NoLease = in.Body.Lease == "none"; req.NoLease {
		return req, nil
	}
	if req.Lease, err = positive(in.Body.Lease); err != nil {
		return req, smartmeter.NewError(smartmeter.Invalid, "body.lease", "must be a duration from 2m to 24h, like 5m, or none")
	}
	return req, nil
}

var errNotPositive = errors.New("not a positive duration")

// positive reads a duration above 0, or "" as 0.
func positive(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err == nil && d <= 0 {
		err = errNotPositive
	}
	return d, err
}

func (a *api) switchRelay(ctx context.Context, in *switchRequest) (*body[switchReply], error) {
	req, err := in.request()
	if err != nil {
		return nil, a.fail(err)
	}
	req.Cause = causeOf(ctx)
	noteAbout(ctx, in.ID+" "+smartmeter.RelayStateOf(req.On).String())
	id := req.Device
	cmd, err := a.hub.Switch(ctx, req)
	state := smartmeter.RelayUnknown
	if s, err := a.hub.Device(id); err == nil {
		state = s.Relay.State
	}
	if err != nil {
		p := a.fail(err)
		if cmd.ID != "" {
			p.State, p.Command = state.String(), showCommand(&cmd)
		}
		return nil, p
	}
	return &body[switchReply]{switchReply{State: state.String(), Command: showCommand(&cmd)}}, nil
}

type commandsRequest struct {
	DevicePath
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

type commandList struct {
	Commands []*command `json:"commands"`
}

func (a *api) listCommands(ctx context.Context, in *commandsRequest) (*body[commandList], error) {
	commands, err := a.hub.Commands(ctx, smartmeter.DeviceID(in.ID), in.Limit)
	if err != nil {
		return nil, a.fail(err)
	}
	list := commandList{Commands: []*command{}}
	for _, c := range commands {
		list.Commands = append(list.Commands, showCommand(&c))
	}
	return &body[commandList]{list}, nil
}
