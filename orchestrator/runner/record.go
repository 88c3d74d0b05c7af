package runner

import (
	"bytes"

	o "ringmaster/orchestrator"
)

// EncodeRecord makes one journal record of the facts of one input: a line each.
func EncodeRecord(facts []o.Fact) ([]byte, error) {
	var b bytes.Buffer
	for _, f := range facts {
		text, err := o.MarshalFact(f)
		if err != nil {
			return nil, err
		}
		b.Write(text)
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

// DecodeRecord reads what EncodeRecord made.
func DecodeRecord(payload []byte) ([]o.Fact, error) {
	var facts []o.Fact
	for line := range bytes.Lines(payload) {
		f, err := o.UnmarshalFact(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			return nil, err
		}
		facts = append(facts, f)
	}
	return facts, nil
}
