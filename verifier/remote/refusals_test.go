package remote_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/verifier/remote"
)

// refusals are shapes in which endpoints refuse a field.
var refusals = map[string]string{
	"object":     `{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","%[1]s"],"msg":"Extra inputs are not permitted","input":1}]},"code":422}`,
	"list":       `{"message":[{"loc":["body",0,"%[1]s"],"msg":"Extra inputs are not permitted"}]}`,
	"two":        `{"detail":[{"msg":"Extra inputs are not permitted"},{"loc":["body","%[1]s"],"msg":"not permitted"}]}`,
	"errors":     `{"errors":[{"message":"%[1]s: not permitted"}]}`,
	"other case": `{"Message":"%[1]s is not permitted"}`,
	"param":      `{"error":{"message":"this is not permitted","param":"%[1]s","code":"unsupported_parameter"}}`,
	"in message": `{"error":{"message":"%[1]s is not permitted","param":"body"}}`,
	"plain text": `%[1]s is not permitted`,
}

// What is refused is dropped, in whatever shape the refusal comes, and the next
// question of any kind is asked without it.
func TestRefusedFields(t *testing.T) {
	for _, field := range []string{"logprobs", "temperature", "max_tokens", "seed", "detail"} {
		for shape, refusal := range refusals {
			for _, status := range []int{200, 400, 422} {
				if status == 200 && shape != "object" && shape != "param" {
					continue // has no code
				}
				t.Run(fmt.Sprint(field, " ", shape, " ", status), func(t *testing.T) {
					e := serve(t, refusing(field, status, fmt.Sprintf(refusal, field)))
					testDropped(t, e, field)
				})
			}
		}
	}
}

// refusing is an endpoint that does not take a field.
func refusing(field string, status int, refusal string) func(http.ResponseWriter, int, map[string]any) {
	return func(w http.ResponseWriter, _ int, asked map[string]any) {
		if raw, _ := json.Marshal(asked); strings.Contains(string(raw), `"`+field+`":`) {
			write(w, status, refusal)
			return
		}
		write(w, 200, completion("Yes", "stop"))
	}
}

func testDropped(t *testing.T, e *endpoint, field string) {
	extra := map[string]any{"seed": 7, "temperature": 0.5}
	s := e.scorer(t, remote.Options{Extra: extra, Detail: "low"})
	requests := 0
	if field != "logprobs" { // which Generate does not ask for
		_, err := s.Generate(t.Context(), red, "What is it?", 5)
		require.NoError(t, err)
		requests++
	}
	for range 2 {
		_, err := s.Score(t.Context(), red, question)
		require.NoError(t, err)
		requests++
	}
	asked := e.asked()
	require.Len(t, asked, requests+1, "refused once")
	last := asked[requests].body
	assert.Equal(t, field != "seed", last["seed"] == 7.)
	assert.Equal(t, field != "temperature", last["temperature"] == .5)
	assert.Equal(t, field != "logprobs", last["logprobs"] == true)
	assert.Equal(t, field == "max_tokens", last["max_completion_tokens"] == 16.)
	assert.Equal(t, field != "detail", strings.Contains(fmt.Sprint(last["messages"]), "detail:low"))
	assert.Equal(t, map[string]any{"seed": 7, "temperature": 0.5}, extra, "is the caller's")
}

// What cannot be dropped is an error with the words.
func TestWordsOfRefusals(t *testing.T) {
	for body, words := range map[string]string{
		`{"message":{"detail":[{"loc":["body","messages",0],"msg":"Field required","input":"picture"}]}}`: "400 Bad Request: body.messages.0: Field required",
		`{"message":[{"msg":"one"},"two"]}`: "400 Bad Request: one; two",
		`{"error":{"message":{"a":1}}}`:     `400 Bad Request: {"a":1}`,
		`{"detail":"Unknown model"}`:        "400 Bad Request: Unknown model",
		`"no"`:                              "400 Bad Request: no",
		`No such model`:                     "400 Bad Request: No such model",
		`<html>No</html>`:                   "400 Bad Request",
		``:                                  "400 Bad Request",
	} {
		e := serve(t, always(400, body))
		_, err := e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
		assert.ErrorIs(t, err, remote.ErrRequest)
		assert.True(t, err != nil && strings.HasSuffix(err.Error(), ": "+words), "%v", err)
	}
	e := serve(t, answered{Status: 422, Body: `{"message":{"detail":[{"loc":["body","logprobs"],"msg":"Extra inputs are not permitted"}]}}`}.send)
	_, err := e.scorer(t, remote.Options{Basis: remote.LogProbs}).Score(t.Context(), red, question)
	assert.ErrorIs(t, err, remote.ErrNoLogProbs)
	assert.ErrorContains(t, err, "body.logprobs: Extra inputs are not permitted")
}

// The address is named where nothing is found, and /v1 where it has none.
func TestNotFound(t *testing.T) {
	for _, status := range []int{404, 405} {
		for path, hint := range map[string]bool{"": true, "/": true, "/api": true, "/v1": false, "/api/v1/": false} {
			e := serve(t, always(status, `{"detail":"Not Found"}`))
			s, err := remote.New(remote.Options{Model: "m", BaseURL: e.URL + path})
			require.NoError(t, err)
			_, err = s.Score(t.Context(), red, question)
			require.ErrorIs(t, err, remote.ErrRequest)
			var refusal *remote.StatusError
			require.ErrorAs(t, err, &refusal)
			assert.Equal(t, e.URL+strings.TrimRight(path, "/")+"/chat/completions", refusal.Address)
			assert.ErrorContains(t, err, refusal.Address)
			assert.Equal(t, hint, strings.Contains(err.Error(), "/v1 may be missing"), path)
		}
	}
}
