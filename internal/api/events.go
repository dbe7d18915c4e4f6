package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

type eventsRequest struct {
	LastEventID int64 `header:"Last-Event-ID" doc:"resume after this event; 0 begins with now"`
}

// keepAlive is how often a silent stream shows that it lives.
const keepAlive = 15 * time.Second

// watchEvents streams events as they happen. Names: hello at once, then
// reading, device, relay, command and alert; reset when the state must be fetched anew,
// because a device is gone or the event to resume from is not known any more.
func (a *api) watchEvents(_ context.Context, in *eventsRequest) (*huma.StreamResponse, error) {
	watcher, resumed, err := a.hub.Watch(in.LastEventID)
	if err != nil {
		return nil, a.fail(err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer watcher.Close()
		r, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no")
		stream := &eventStream{w: w, control: http.NewResponseController(w), view: a.newView(r.Context())}
		if err := stream.follow(r.Context(), watcher, in.LastEventID != 0 && !resumed); err != nil {
			a.log.Debug("an event stream ended", "err", err)
		}
	}}, nil
}

// follow writes events until the client is gone or has fallen behind, or the
// hub stops. anew tells the client that what it had is out of date.
func (s *eventStream) follow(ctx context.Context, watcher *hub.Watcher, anew bool) error {
	if err := s.send(watcher.Before, "hello", struct{}{}); err != nil {
		return err
	}
	if anew {
		if err := s.send(watcher.Before, "reset", struct{}{}); err != nil {
			return err
		}
	}
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-alive.C:
			if !s.view.refresh() {
				return nil // the session has ended
			}
			err = s.comment()
		case e, open := <-watcher.Events:
			if !open {
				return nil // fallen behind, or the hub stops: the client resumes
			}
			if !s.view.refresh() {
				return nil
			}
			err = s.show(e)
		}
		if err != nil {
			return err
		}
	}
}

type deviceLatest struct {
	Device string  `json:"device"`
	Latest *latest `json:"latest"`
}

type deviceRelay struct {
	Device string `json:"device"`
	Relay  relay  `json:"relay"`
}

type deviceCommand struct {
	Device  string   `json:"device"`
	Command *command `json:"command"`
}

type deviceAlert struct {
	Device string `json:"device"`
	Alert  alert  `json:"alert"`
}

func showEvent(e *smartmeter.Event) any {
	switch e.Kind {
	case smartmeter.EventReading:
		return deviceLatest{string(e.Device), showLatest(e.Status.Latest)}
	case smartmeter.EventRelay:
		return deviceRelay{string(e.Device), showRelay(e.Status.Relay)}
	case smartmeter.EventCommand:
		return deviceCommand{string(e.Device), showCommand(e.Command)}
	case smartmeter.EventAlert:
		return deviceAlert{string(e.Device), showAlert(*e.Alert)}
	case smartmeter.EventReset:
		return struct{}{}
	default:
		return showDevice(e.Status)
	}
}

// view is what one watcher may see, for as long as the stream lasts.
type view struct {
	again func(access.Principal) (access.Principal, bool)
	who   access.Principal
	shown map[smartmeter.DeviceID]bool // only for those who do not see everything
}

func (a *api) newView(ctx context.Context) *view {
	v := &view{again: a.again, who: whoAsks(ctx), shown: make(map[smartmeter.DeviceID]bool)}
	for _, d := range a.visible(ctx) {
		v.shown[d.ID] = true
	}
	return v
}

// again returns what who may do now.
func (a *api) again(who access.Principal) (access.Principal, bool) {
	if a.people == nil {
		return who, true
	}
	return a.people.Again(who)
}

// refresh learns what the watcher may see by now; false ends the stream.
func (v *view) refresh() (ok bool) {
	v.who, ok = v.again(v.who)
	return ok
}

// eventStream writes server-sent events (WHATWG HTML, section 9.2).
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	view    *view
}

// show sends an event to whoever may see its device. A device that has moved
// out of sight resets what the watcher knows.
func (s *eventStream) show(e *smartmeter.Event) error {
	visible := e.Kind == smartmeter.EventReset || s.view.who.Sees(e.Status.Room)
	before := s.view.shown[e.Device]
	switch {
	case visible:
		s.view.shown[e.Device] = true
		return s.send(e.ID, string(e.Kind), showEvent(e))
	case before:
		delete(s.view.shown, e.Device)
		return s.send(e.ID, string(smartmeter.EventReset), struct{}{})
	default:
		return nil
	}
}

// patience is how long a client may take to accept one event.
const patience = 10 * time.Second

func (s *eventStream) send(id int64, name string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return s.write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", id, name, text))
}

func (s *eventStream) comment() error { return s.write(": alive\n\n") }

func (s *eventStream) write(text string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
