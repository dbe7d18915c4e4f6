package api

import (
	"cmp"
	"context"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/iot-smart-meter/smartmeter/internal/access"
)

type health struct {
	Status    string           `json:"status" enum:"ok,degraded"`
	Encrypted bool             `json:"encrypted" doc:"whether this answer came over HTTPS; without it, whoever is on the network can read along"`
	Checks    map[string]check `json:"checks,omitempty" doc:"for whoever may see the site"`
}

type check struct {
	Status string `json:"status" enum:"ok,failed"`
	Detail string `json:"detail,omitempty"`
}

// healthReply has the same body whatever its status is, so that a monitor that
// looks at the status alone and a person who reads on learn the same.
type healthReply struct {
	Status int
	Body   health
}

// describeHealth adds to op that a degraded hub answers with the same body.
func describeHealth(h huma.API, op huma.Operation) huma.Operation {
	schema := h.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[health](), true, "")
	op.Errors = []int{http.StatusBadRequest}
	op.Responses = map[string]*huma.Response{strconv.Itoa(http.StatusServiceUnavailable): {
		Description: "Degraded: a check has failed",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schema}},
	}}
	return op
}

// healthRequest knows whether it came encrypted.
type healthRequest struct{ encrypted bool }

// Resolve looks at the connection.
func (r *healthRequest) Resolve(ctx huma.Context) []error {
	r.encrypted = ctx.TLS() != nil
	return nil
}

func (a *api) health(ctx context.Context, in *healthRequest) (*healthReply, error) {
	found := a.hub.Health(ctx)
	status, out := http.StatusOK, health{Status: "ok", Encrypted: in.encrypted, Checks: make(map[string]check)}
	if !found.OK() {
		status, out.Status = http.StatusServiceUnavailable, "degraded"
	}
	if !whoAsks(ctx).May(access.SeeSite) {
		return &healthReply{status, out}, nil
	}
	for name, err := range found.Checks {
		if err != nil {
			out.Checks[name] = check{Status: "failed", Detail: err.Error()}
		} else {
			out.Checks[name] = check{Status: "ok", Detail: found.Notes[name]}
		}
	}
	return &healthReply{status, out}, nil
}

type refusal struct {
	Node   string `json:"node" doc:"empty for topics that belong to no node"`
	Reason string `json:"reason" example:"not_utf8"`
	Count  uint64 `json:"count" doc:"since the hub started"`
}

type refusalList struct {
	Refused []refusal `json:"refused"`
}

func (a *api) listRefused(context.Context, *struct{}) (*body[refusalList], error) {
	list := refusalList{Refused: []refusal{}}
	for node, reasons := range a.hub.Refused() {
		for reason, n := range reasons {
			list.Refused = append(list.Refused, refusal{string(node), reason, n})
		}
	}
	slices.SortFunc(list.Refused, func(x, y refusal) int {
		return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Reason, y.Reason))
	})
	return &body[refusalList]{list}, nil
}
