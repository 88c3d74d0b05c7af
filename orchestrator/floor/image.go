package floor

import (
	"encoding/json"
	"fmt"
)

// Image is the whole state of a floor, as bytes that json can write and read.
// Equal floors have equal images.
type Image = json.RawMessage

// Image takes the picture a restart begins with. The journal keeps it beside
// the facts that follow it.
func (f *Floor) Image() Image {
	raw, err := json.Marshal(f.state)
	if err != nil {
		panic(fmt.Sprintf("floor: image: %v", err)) // every field is plain data
	}
	return raw
}

// Restore makes a floor of an image; the facts after it are then applied one
// by one. A nil image is an empty floor.
func Restore(cfg Config, img Image) (*Floor, error) {
	f := New(cfg)
	if len(img) == 0 {
		return f, nil
	}
	f.state = newState()
	if err := json.Unmarshal(img, &f.state); err != nil {
		return nil, fmt.Errorf("restore floor %s: %w", cfg.Tenant, err)
	}
	f.reindex()
	return f, nil
}
