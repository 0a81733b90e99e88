package remote

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// faultIn returns what a body says about an error, nil where it says nothing, and the
// status of HTTP by which it calls it, 0 if it does not. Servers put it under "error",
// at the top or in a choice, into fields at the top ("message", FastAPI's "detail"), all
// that in a list, or send plain text. A page of HTML is for nobody to read.
func faultIn(body []byte) (fault any, status int) {
	var top any
	if json.Unmarshal(body, &top) != nil {
		if text := bytes.TrimSpace(body); !bytes.HasPrefix(text, []byte("<")) {
			return string(text), 0
		}
		return nil, 0
	}
	if list, _ := top.([]any); len(list) > 0 {
		top = list[0]
	}
	holder := top
	choices, _ := field(top, "choices").([]any)
	if words(field(top, "error")) == "" {
		if len(choices) == 0 {
			return top, statusIn(top)
		}
		holder = choices[0]
	}
	if fault = field(holder, "error"); words(fault) == "" {
		return nil, 0
	}
	return fault, cmp.Or(statusIn(fault), statusIn(holder))
}

// field returns the field of a JSON object, whatever the case of its name; nil if
// there is none.
func field(value any, name string) any {
	object, _ := value.(map[string]any)
	if inner, ok := object[name]; ok {
		return inner
	}
	for key, inner := range object {
		if strings.EqualFold(key, name) {
			return inner
		}
	}
	return nil
}

// speaking are the fields that hold the words of an error, the best first.
var speaking = []string{"message", "msg", "detail", "details", "error", "errors", "description", "reason", "title"}

// words returns what a JSON value has to say: a text itself, all elements of a list,
// the speaking field of an object, behind the place in the request that it is about.
// An object without such a field is given as JSON.
func words(value any) string {
	switch v := value.(type) {
	case string:
		return strings.TrimSpace(v)
	case []any:
		var all []string
		for _, element := range v {
			if text := words(element); text != "" {
				all = append(all, text)
			}
		}
		return strings.Join(all, "; ")
	case map[string]any:
		return objectWords(v)
	}
	return ""
}

func objectWords(object map[string]any) string {
	text := ""
	for _, name := range speaking {
		if text = words(field(object, name)); text != "" {
			break
		}
	}
	// OpenRouter passes on here what the provider said.
	if raw, _ := field(field(object, "metadata"), "raw").(string); raw != "" {
		text += ": " + raw
	}
	if text == "" && len(object) > 0 {
		raw, _ := json.Marshal(object) // what was decoded encodes
		return string(raw)
	}
	const most = 1 << 12 // bytes; objects may be nested deeply, and no error shows more
	return placeOf(object) + text[:min(len(text), most)]
}

// placeOf returns the field of the request that an error of FastAPI is about.
func placeOf(object map[string]any) string {
	place := ""
	loc, _ := object["loc"].([]any)
	for _, step := range loc {
		place += fmt.Sprint(step) + "."
	}
	if place == "" {
		return ""
	}
	return strings.TrimSuffix(place, ".") + ": "
}

// statusNames are parts of the names by which servers call a status.
var statusNames = []struct {
	part   string
	status int
}{
	{"rate_limit", http.StatusTooManyRequests}, {"too_many", http.StatusTooManyRequests},
	{"quota", http.StatusTooManyRequests}, {"exhausted", http.StatusTooManyRequests},
	{"overload", http.StatusServiceUnavailable}, {"unavailable", http.StatusServiceUnavailable},
	{"timeout", http.StatusGatewayTimeout}, {"deadline", http.StatusGatewayTimeout},
	{"server_error", http.StatusInternalServerError}, {"internal", http.StatusInternalServerError},
	{"authentication", http.StatusUnauthorized}, {"api_key", http.StatusUnauthorized}, {"permission", http.StatusForbidden},
	{"not_found", http.StatusNotFound}, {"invalid", http.StatusBadRequest}, {"unsupported", http.StatusBadRequest},
}

// statusIn returns the status of HTTP that an error stands for by its code, its
// status or its type; 0 if it names none.
func statusIn(fault any) int {
	for _, name := range []string{"code", "status", "status_code", "type"} {
		if status := statusOf(field(fault, name)); status != 0 {
			return status
		}
	}
	return 0
}

func statusOf(code any) int {
	text, _ := code.(string)
	number, isNumber := code.(float64)
	if n, err := strconv.Atoi(text); err == nil {
		number, isNumber = float64(n), true
	}
	if isNumber {
		if number >= 400 && number < 600 {
			return int(number)
		}
		return 0
	}
	text = strings.ReplaceAll(strings.ToLower(text), " ", "_")
	for _, s := range statusNames {
		if strings.Contains(text, s.part) {
			return s.status
		}
	}
	return 0
}
