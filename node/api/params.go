package api

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
)

// DecodeParams reads a method's parameters, an object by names or a list in the order of the struct's fields, and
// refuses unknown names and too long lists. Missing and null parameters are zero.
func DecodeParams[T any](raw []byte) (T, error) {
	var p T
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || bytes.Equal(raw, []byte("null")):
		return p, nil
	case raw[0] == '{':
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil {
			return p, Errorf(CodeParams, "parameters: %v; the document at /openrpc.json lists them", err)
		}
		if _, err := d.Token(); err != io.EOF {
			return p, Errorf(CodeParams, "parameters: more than one value")
		}
		return p, nil
	case raw[0] == '[':
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return p, Errorf(CodeParams, "parameters: %v", err)
		}
		v := reflect.ValueOf(&p).Elem()
		fs := fields(v.Type())
		if len(list) > len(fs) {
			return p, Errorf(CodeParams, "parameters: %d given, the method takes at most %d; the document at /openrpc.json lists them", len(list), len(fs))
		}
		for i, item := range list {
			if err := json.Unmarshal(item, v.FieldByIndex(fs[i].index).Addr().Interface()); err != nil {
				return p, Errorf(CodeParams, "parameter %q: %v", fs[i].name, err)
			}
		}
		return p, nil
	default:
		return p, Errorf(CodeParams, "parameters: want an object or a list")
	}
}
