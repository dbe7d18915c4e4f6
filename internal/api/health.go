package api

import "context"

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
