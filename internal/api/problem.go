package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
)

// statusOf maps the system's error codes to HTTP, the only place that does.
var statusOf = map[smartmeter.Code]int{
	smartmeter.Invalid:     http.StatusUnprocessableEntity,
	smartmeter.NotFound:    http.StatusNotFound,
	smartmeter.Conflict:    http.StatusConflict,
	smartmeter.NoAnswer:    http.StatusGatewayTimeout,
	smartmeter.Unavailable: http.StatusServiceUnavailable,
	smartmeter.LoginNeeded: http.StatusUnauthorized,
	smartmeter.Denied:      http.StatusForbidden,
	smartmeter.TooMany:     http.StatusTooManyRequests,
}

// problem is an RFC 9457 body. State and Command are set when a relay was not
// moved for sure.
type problem struct {
	huma.ErrorModel
	State   string   `json:"state,omitempty" doc:"the relay as far as it is known"`
	Command *command `json:"command,omitempty" doc:"the command that was refused or is not answered yet"`
	header  http.Header
}

// GetHeaders returns what goes into the answer's header, see huma.HeadersError.
func (p *problem) GetHeaders() http.Header { return p.header }

// fail turns an error of the hub into a problem. What the hub did not foresee
// is logged and not shown.
func (a *api) fail(err error) *problem {
	known, ok := errors.AsType[*smartmeter.Error](err)
	if errors.Is(err, context.Canceled) {
		return newProblem(http.StatusServiceUnavailable, "the request was given up") // by who asked: nobody reads this
	}
	if !ok {
		a.log.Error("a request failed", "err", err)
		return newProblem(http.StatusInternalServerError, "this is a mistake of the hub; its log says more")
	}
	p := newProblem(statusOf[known.Code], known.Message)
	if known.Field != "" {
		p.Errors = []*huma.ErrorDetail{{Location: known.Field, Message: known.Message}}
	}
	if wait, ok := errors.AsType[access.Wait](known.Err); ok {
		p.header = http.Header{"Retry-After": {strconv.Itoa(int(wait.For.Seconds()))}}
	} else if known.Err != nil {
		a.log.Error("a request failed", "err", err)
	}
	return p
}

// inBody says that the field of an error is one of the request's body.
func inBody(err error) error {
	known, ok := errors.AsType[*smartmeter.Error](err)
	if !ok || known.Field == "" {
		return err
	}
	return &smartmeter.Error{Code: known.Code, Field: "body." + known.Field, Message: known.Message, Err: known.Err}
}

func newProblem(status int, detail string) *problem {
	return &problem{ErrorModel: huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail}}
}

func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// An error here means that the client is gone.
	_ = json.NewEncoder(w).Encode(newProblem(status, detail))
}

// withoutValues keeps huma from echoing what was sent, secrets included, and
// names the broken fields where the eye falls first.
func withoutValues(_ huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	said := make([]string, 0, len(model.Errors))
	for _, e := range model.Errors {
		e.Value = nil
		said = append(said, strings.TrimPrefix(e.Location+": ", ": ")+e.Message)
	}
	if len(said) > 0 {
		model.Detail += ": " + strings.Join(said, "; ")
	}
	return model, nil
}

// unknownRoute answers below /api/ what no route does: 405 where another
// method would do, else 404.
func unknownRoute(mux *http.ServeMux) http.Handler {
	methods := []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		allowed := slices.DeleteFunc(slices.Clone(methods), func(method string) bool {
			_, pattern := mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host})
			return pattern == "/api/"
		})
		if len(allowed) == 0 {
			writeProblem(w, http.StatusNotFound, "there is no "+r.URL.Path+"; /openapi.json lists what there is")
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		writeProblem(w, http.StatusMethodNotAllowed, r.URL.Path+" takes "+strings.Join(allowed, ", "))
	})
}
