package xvb

import "github.com/switchhook/switchhook/pkg/vendors/fields"

// body is what the body of a request says, without the tokens.
type body struct {
	outer   *fields.Fields
	payload *fields.Fields // the object that some exchanges put everything into; empty when there is none
	tokens  []string
}

// readBody returns with an error, which is fault.Invalid, those tokens that could be read.
func readBody(data []byte) (b body, err error) {
	if b.outer, err = fields.Read(data); err != nil {
		return body{}, err
	}
	b.tokens = cutTokens(b.outer)
	if b.payload, err = b.outer.TakeObject("payload"); err != nil {
		return body{tokens: b.tokens}, err
	}
	b.tokens = append(b.tokens, cutTokens(b.payload)...)
	return b, nil
}

// cutTokens removes the tokens and returns them.
func cutTokens(f *fields.Fields) (tokens []string) {
	for _, key := range []string{"access_code", "crm_token"} {
		if token := f.Peek(key); token != "" {
			tokens = append(tokens, token)
		}
		f.Drop(key)
	}
	return tokens
}

// merge returns all values. Those of the payload go first.
func (b body) merge() *fields.Fields {
	b.payload.Merge(b.outer)
	return b.payload
}
