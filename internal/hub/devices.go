package hub

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/iot-smart-meter/smartmeter"
)

// DeviceChange is what a person may change of a device; nil leaves as it is.
type DeviceChange struct {
	Name *string
	Room *string
	Kind *smartmeter.LoadKind
	// Settings are all of them: what is left out is as the kind has it. Their Rev
	// is the hub's to give.
	Settings *smartmeter.Settings
}

// maxNameLen bounds names and rooms, in characters.
const maxNameLen = 64

// ChangeDevice renames a device, moves it to another room or says what it is.
// All of change is applied, or nothing.
func (h *Hub) ChangeDevice(ctx context.Context, id smartmeter.DeviceID, change DeviceChange) (smartmeter.DeviceStatus, error) {
	if err := change.check(); err != nil {
		return smartmeter.DeviceStatus{}, err
	}
	before, err := h.applyChange(id, change)
	if err != nil {
		return smartmeter.DeviceStatus{}, err
	}
	if err := h.store.Sync(ctx); err != nil {
		return smartmeter.DeviceStatus{}, errors.Join(unavailable(err), h.putDevice(before))
	}
	return h.Device(id)
}

func (c DeviceChange) check() error {
	if c.Name != nil {
		if err := checkName("name", *c.Name, 1); err != nil {
			return err
		}
	}
	if c.Room != nil {
		if err := checkName("room", *c.Room, 0); err != nil {
			return err
		}
	}
	if c.Settings != nil {
		if err := checkSettings(*c.Settings); err != nil {
			return err
		}
	}
	if c.Kind != nil && !slices.Contains(smartmeter.LoadKinds(), *c.Kind) {
		return smartmeter.NewError(smartmeter.Invalid, "kind", "must be generic, must_stay_on, heater, compressor or lighting")
	}
	return nil
}

func checkName(field, s string, least int) error {
	n := utf8.RuneCountInString(s)
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return smartmeter.NewError(smartmeter.Invalid, field, "must be text without control characters")
	case hasInvisible(s):
		return smartmeter.NewError(smartmeter.Invalid, field, "must be text without invisible characters, such as those that turn the direction of writing: type it anew instead of pasting it")
	case strings.TrimSpace(s) != s:
		return smartmeter.NewError(smartmeter.Invalid, field, "must not begin or end with a space")
	case n < least:
		return smartmeter.NewError(smartmeter.Invalid, field, "must not be empty")
	case n > maxNameLen:
		return smartmeter.NewError(smartmeter.Invalid, field, "must have at most 64 characters")
	}
	return nil
}

// hasInvisible reports whether s has characters that are not seen themselves:
// format characters and separators of lines (Unicode's categories Cf, Zl, Zp).
// Two names could look alike by them, or one read backwards. The joiner within
// emoji is the exception.
func hasInvisible(s string) bool {
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case r == zeroWidthJoiner && i > 0 && i+1 < len(runes) && endsEmoji(runes[i-1]) && unicode.Is(unicode.So, runes[i+1]):
		case unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
			return true
		}
	}
	return false
}

const zeroWidthJoiner = '\u200d'

// endsEmoji reports whether an emoji may end in r: a picture, its variation
// selector or its colour of skin (Unicode Technical Standard #51).
func endsEmoji(r rune) bool {
	return unicode.Is(unicode.So, r) || r == '\ufe0f' || r >= '\U0001f3fb' && r <= '\U0001f3ff'
}

// applyChange returns the device as it was.
func (h *Hub) applyChange(id smartmeter.DeviceID, change DeviceChange) (before smartmeter.Device, err error) {
	s, err := h.Device(id)
	if err != nil {
		return before, err
	}
	if change.Settings != nil {
		if err := h.checkTakes(id, *change.Settings); err != nil {
			return before, err
		}
	}
	d := s.Device
	if change.Name != nil {
		d.Name = *change.Name
	}
	if change.Room != nil {
		d.Room = *change.Room
	}
	if change.Kind != nil {
		d.Kind = *change.Kind
	}
	if change.Settings != nil {
		rev := d.Settings.Rev
		d.Settings = *change.Settings
		d.Settings.Rev = rev
	}
	if change.Settings != nil || d.Kind != s.Kind {
		d.Settings.Rev = nextRev(d.Settings.Rev, time.Now())
	}
	return s.Device, h.putDevice(d)
}

// checkTakes says why a device's node cannot be configured so.
func (h *Hub) checkTakes(id smartmeter.DeviceID, s smartmeter.Settings) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := h.find(id)
	if err != nil {
		return err
	}
	return c.takesSettings(s)
}

// putDevice makes d the device of its id, and tells.
func (h *Hub) putDevice(d smartmeter.Device) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := h.find(d.ID)
	if err != nil {
		return err
	}
	if err := h.store.PutDevice(d); err != nil {
		return unavailable(err)
	}
	c.device, c.stored = d, true
	h.events.publish(smartmeter.EventDevice, c.status(), nil)
	return nil
}

// EraseDevice forgets a device and everything it measured. A node that still
// publishes is met anew, without a past. When the store fails nothing changes,
// and the caller may try again; but after smartmeter.ErrErasing it is forgotten,
// and the store alone has something left to do.
func (h *Hub) EraseDevice(ctx context.Context, id smartmeter.DeviceID) error {
	c, err := h.beginErasing(id)
	if err != nil {
		return err
	}
	return h.erase(ctx, c)
}

// erase erases a device of which nothing more is taken.
func (h *Hub) erase(ctx context.Context, c *channel) error {
	err := h.store.EraseDevice(ctx, c.device)
	h.mu.Lock()
	defer h.mu.Unlock()
	c.erasing = false
	if err != nil && !errors.Is(err, smartmeter.ErrErasing) {
		return unavailable(err)
	}
	delete(h.devices, c.device.ID)
	delete(c.node.channels, c.device.Channel) // the node stays: what it is does not change
	h.events.forget(c)
	h.forgetAlerts(c.device.ID)
	h.events.publish(smartmeter.EventReset, c.status(), nil)
	if err != nil {
		return &smartmeter.Error{Code: smartmeter.Unavailable, Message: goesOn, Err: err}
	}
	return nil
}

// goesOn is what a person reads of an erasure that is not through yet.
const goesOn = "the device is forgotten, but not erased from the disk yet; that goes on by itself when the disk takes writes (see /api/v1/health). " +
	"If the device is there again after a restart, erase it once more"

// beginErasing keeps anything more of a device from being taken.
func (h *Hub) beginErasing(id smartmeter.DeviceID) (*channel, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := h.find(id)
	if err != nil {
		return nil, err
	}
	if c.erasing {
		return nil, conflict(c, "is being erased already")
	}
	for _, p := range c.node.pending {
		if p.command.Device == id {
			h.settle(p, smartmeter.CommandUnknown, "the device was erased before the node answered")
		}
	}
	c.erasing = true
	return c, nil
}

// Commands returns the newest commands of a device, newest first.
func (h *Hub) Commands(ctx context.Context, id smartmeter.DeviceID, limit int) ([]smartmeter.Command, error) {
	if _, err := h.Device(id); err != nil {
		return nil, err
	}
	commands, err := h.store.Commands(ctx, id, limit)
	return commands, unavailable(err)
}
