package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

// schemas are those of the messages and types that are read and written, by name.
type schemas object

func reference(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// of returns the schema of a value's type, and adds those that it needs.
func (s schemas) of(value any) object {
	if m, ok := value.(proto.Message); ok {
		return s.message(m.ProtoReflect().Descriptor())
	}
	return s.goType(reflect.TypeOf(value))
}

// goType describes how encoding/json writes a type.
func (s schemas) goType(t reflect.Type) object {
	if embeds, ok := reflect.Zero(t).Interface().(interface {
		descriptor() protoreflect.MessageDescriptor
	}); ok {
		return s.message(embeds.descriptor())
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[tokens.Right]():
		return object{"type": "string", "enum": tokens.AllRights()}
	case reflect.TypeFor[json.RawMessage]():
		return object{"type": "object"}
	}
	switch t.Kind() {
	case reflect.Slice:
		return object{"type": "array", "items": s.goType(t.Elem())}
	case reflect.Struct:
		return s.structure(t)
	case reflect.String:
		return object{"type": "string"}
	default:
		return object{"type": "integer"}
	}
}

func (s schemas) structure(t reflect.Type) object {
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	if s[name] == nil {
		properties, required := object{}, []string{}
		for _, f := range reflect.VisibleFields(t) {
			key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous {
				continue // its fields are visible themselves
			}
			properties[key] = s.goType(f.Type)
			if options != "omitempty" {
				required = append(required, key)
			}
		}
		s[name] = described(properties, required)
	}
	return reference(name)
}

func described(properties object, required []string) object {
	schema := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

// message describes how protojson writes a message.
func (s schemas) message(m protoreflect.MessageDescriptor) object {
	switch m.FullName() {
	case "google.protobuf.Timestamp":
		return object{"type": "string", "format": "date-time"}
	case "google.protobuf.Duration":
		return object{"type": "string", "pattern": `^-?[0-9]+(\.[0-9]{1,9})?s$`}
	}
	name := strings.TrimPrefix(string(m.FullName()), "pbx.v1.")
	if s[name] == nil {
		properties := object{}
		s[name] = described(properties, nil) // before its fields: they may hold the message itself
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			properties[f.JSONName()] = s.field(f)
		}
	}
	return reference(name)
}

func (s schemas) field(f protoreflect.FieldDescriptor) object {
	switch {
	case f.IsMap():
		return object{"type": "object", "additionalProperties": s.single(f.MapValue())}
	case f.IsList():
		return object{"type": "array", "items": s.single(f)}
	}
	return s.single(f)
}

func (s schemas) single(f protoreflect.FieldDescriptor) object {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return s.message(f.Message())
	case protoreflect.EnumKind:
		names := []string{}
		for i := range f.Enum().Values().Len() {
			names = append(names, string(f.Enum().Values().Get(i).Name()))
		}
		return object{"type": "string", "enum": names}
	case protoreflect.BoolKind:
		return object{"type": "boolean"}
	case protoreflect.StringKind:
		return object{"type": "string"}
	case protoreflect.BytesKind:
		return object{"type": "string", "format": "byte"}
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return object{"type": "number"}
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind,
		protoreflect.Uint64Kind, protoreflect.Fixed64Kind: // which JSON cannot hold as a number
		return object{"type": "string", "pattern": "^-?[0-9]+$"}
	default:
		return object{"type": "integer"}
	}
}
