package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

type auditEntry struct {
	N     uint64    `json:"n"`
	At    time.Time `json:"at"`
	Who   string    `json:"who" example:"person anna"`
	From  string    `json:"from" doc:"network address; empty if unknown"`
	Did   string    `json:"did" doc:"an operation's id, or login, login-failed, …" example:"switch-relay"`
	About string    `json:"about"`
}

type auditAnswer struct {
	Entries []auditEntry `json:"entries"`
	Lines   uint64       `json:"lines" doc:"number of the last line that was checked"`
	Hash    string       `json:"hash" doc:"of that line: note it elsewhere, and a forged log shows"`
	Intact  bool         `json:"intact" doc:"every line is as it was written, and none is missing"`
	Broken  string       `json:"broken,omitempty" doc:"where it is not"`
}

type auditRequest struct {
	Before uint64 `query:"before" doc:"entries with a lower number; the newest if absent"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

func (a *api) getAudit(_ context.Context, in *auditRequest) (*body[auditAnswer], error) {
	answer := auditAnswer{Entries: []auditEntry{}, Intact: true}
	if a.people == nil {
		return &body[auditAnswer]{answer}, nil
	}
	found, err := a.people.Audit(in.Before, in.Limit)
	if err != nil {
		return nil, a.fail(err)
	}
	answer.Lines, answer.Hash = found.Chain.Lines, found.Chain.Hash
	if found.Err != nil {
		answer.Intact, answer.Broken = false, found.Err.Error()
	}
	for _, e := range found.Entries {
		answer.Entries = append(answer.Entries, auditEntry{e.N, e.At, e.Who, e.From, e.Did, e.About})
	}
	return &body[auditAnswer]{answer}, nil
}

func (a *api) exportAudit(context.Context, *struct{}) (*huma.StreamResponse, error) {
	if a.people == nil {
		return nil, a.fail(errOpen)
	}
	text, err := a.people.ExportAudit()
	if err != nil {
		return nil, a.fail(err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/jsonl")
		hc.SetHeader("Content-Disposition", `attachment; filename="audit.jsonl"`)
		hc.SetStatus(http.StatusOK)
		_, _ = hc.BodyWriter().Write(text) // an error means that the client is gone
	}}, nil
}
