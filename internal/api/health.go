package api

import (
	"cmp"
	"context"
	"slices"
)

type health struct {
	Status string           `json:"status" enum:"ok,degraded"`
	Checks map[string]check `json:"checks"`
}

type check struct {
	Status string `json:"status" enum:"ok,failed"`
	Detail string `json:"detail,omitempty"`
}

func (a *api) health(ctx context.Context, _ *struct{}) (*body[health], error) {
	found := a.hub.Health(ctx)
	out := health{Status: "ok", Checks: make(map[string]check)}
	if !found.OK() {
		out.Status = "degraded"
	}
	for name, err := range found.Checks {
		if err != nil {
			out.Checks[name] = check{Status: "failed", Detail: err.Error()}
		} else {
			out.Checks[name] = check{Status: "ok"}
		}
	}
	return &body[health]{out}, nil
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
