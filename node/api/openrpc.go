package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strings"
)

// Document is the OpenRPC document as the repository keeps it; a test holds it to Methods.
//
//go:embed openrpc.json
var Document []byte

type schema map[string]any

// OpenRPC makes the document (OpenRPC 1.3.2) from Methods and the Go types.
func OpenRPC() ([]byte, error) {
	g := generator{components: map[string]schema{}}
	var methods []any
	for _, m := range Methods {
		entry := map[string]any{
			"name": m.Name, "summary": m.Summary, "paramStructure": "either",
			"params": g.params(m.Params), "result": map[string]any{"name": "result", "schema": g.of(m.Result)},
		}
		if m.Admin {
			entry["tags"] = []any{map[string]any{"name": "admin", "summary": "needs the bearer token"}}
		}
		if m.Stream {
			entry["tags"] = []any{map[string]any{"name": "websocket", "summary": "notifications " + NotificationEvent + " follow"}}
		}
		methods = append(methods, entry)
	}
	g.of(reflect.TypeFor[Events]())
	codes := make([]int, 0, len(codeNames))
	for c := range codeNames {
		codes = append(codes, c)
	}
	sort.Ints(codes)
	errs := map[string]any{}
	for _, c := range codes {
		errs[codeNames[c]] = map[string]any{"code": c, "message": codeNames[c]}
	}
	doc := map[string]any{
		"openrpc": "1.3.2",
		"info":    map[string]any{"title": "fatty", "version": Version1, "description": "A lock service where a holder proves its work."},
		"methods": methods,
		"components": map[string]any{
			"schemas": g.components, "errors": errs,
		},
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("openrpc document: %w", err)
	}
	return append(b, '\n'), nil
}

type generator struct{ components map[string]schema }

func (g *generator) params(t reflect.Type) []any {
	out := []any{}
	for _, f := range fields(t) {
		out = append(out, map[string]any{"name": f.name, "required": !f.optional, "schema": g.of(f.typ)})
	}
	return out
}

func (g *generator) of(t reflect.Type) schema {
	switch t {
	case reflect.TypeFor[Clock]():
		return schema{"oneOf": []any{schema{"type": "integer", "minimum": 0}, schema{"type": "string"}}}
	case reflect.TypeFor[Time]():
		return schema{"type": []string{"string", "null"}, "format": "date-time"}
	case reflect.TypeFor[[]byte]():
		return schema{"type": "string", "contentEncoding": "base64"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.of(t.Elem())
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return schema{"type": "integer"}
	case reflect.Uint64:
		return schema{"type": "integer", "minimum": 0}
	case reflect.Float64:
		return schema{"type": "number"}
	case reflect.Slice:
		return schema{"type": "array", "items": g.of(t.Elem())}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": g.of(t.Elem())}
	case reflect.Struct:
		name := t.Name()
		if _, ok := g.components[name]; !ok {
			s := schema{"type": "object"}
			g.components[name] = s
			props, required := map[string]any{}, []string{}
			for _, f := range fields(t) {
				props[f.name] = g.of(f.typ)
				if !f.optional {
					required = append(required, f.name)
				}
			}
			s["properties"], s["required"], s["additionalProperties"] = props, required, false
		}
		return schema{"$ref": "#/components/schemas/" + name}
	default:
		return schema{}
	}
}

type field struct {
	name     string
	typ      reflect.Type
	optional bool
	index    []int
}

// fields lists a struct's JSON fields in order, embedded ones in place.
func fields(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" {
			for _, e := range fields(f.Type) {
				e.index = append([]int{i}, e.index...)
				out = append(out, e)
			}
			continue
		}
		if tag == "" || tag == "-" {
			continue
		}
		out = append(out, field{tag, f.Type, strings.Contains(opts, "omitempty"), []int{i}})
	}
	return out
}
