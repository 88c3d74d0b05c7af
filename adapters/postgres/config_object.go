package postgres

import (
	"bytes"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ringmaster/orchestrator"
)

// objectRow is one object of any kind; the tables differ in the columns
// PostgreSQL makes of the definition.
type objectRow struct {
	TenantID   string `gorm:"primaryKey"`
	ID         string `gorm:"primaryKey"`
	Version    uint64
	Definition []byte
}

// objectKind is what applying and loading need to know of a kind.
type objectKind interface {
	name() orchestrator.Kind
	// holds reports whether c has the object, or any for "".
	holds(c *orchestrator.Config, id string) bool
	// load appends the tenant's objects to into, in the order of their ids.
	load(e *edit, into *orchestrator.Config) error
	// put stores what differs of from and appends it to e.changed.
	put(e *edit, from *orchestrator.Config) error
}

// edit is one transaction's work on one tenant's configuration.
type edit struct {
	tx      *gorm.DB
	tenant  orchestrator.TenantID
	version uint64 // that changed objects get
	changed *orchestrator.Config
}

func (e *edit) table(k orchestrator.Kind) *gorm.DB { return only(kindTable(e.tx, k), e.tenant) }

// kindTable is the closed set of tables a kind can mean.
func kindTable(tx *gorm.DB, k orchestrator.Kind) *gorm.DB {
	switch k {
	case orchestrator.KindSwitch:
		return tx.Table("switch")
	case orchestrator.KindPhone:
		return tx.Table("phone")
	case orchestrator.KindAgent:
		return tx.Table("agent")
	case orchestrator.KindHours:
		return tx.Table("hours")
	case orchestrator.KindQueue:
		return tx.Table("queue")
	case orchestrator.KindFlow:
		return tx.Table("flow")
	case orchestrator.KindNumber:
		return tx.Table("number")
	}
	panic("postgres: no table for kind " + string(k))
}

// objects is a kind whose objects are T.
type objects[T any] struct {
	kind    orchestrator.Kind
	list    func(*orchestrator.Config) *[]T
	id      func(*T) string
	version func(*T) *uint64 // nil: the floor does not care
	free    bool             // ids are not slugs
}

// kinds are all kinds in the order in which they depend on each other.
var kinds = []objectKind{
	objects[orchestrator.PBX]{
		kind: orchestrator.KindSwitch,
		list: func(c *orchestrator.Config) *[]orchestrator.PBX { return &c.Switches },
		id:   func(s *orchestrator.PBX) string { return string(s.ID) },
	},
	objects[orchestrator.Phone]{
		kind: orchestrator.KindPhone,
		list: func(c *orchestrator.Config) *[]orchestrator.Phone { return &c.Phones },
		id:   func(p *orchestrator.Phone) string { return string(p.ID) },
	},
	objects[orchestrator.Agent]{
		kind: orchestrator.KindAgent,
		list: func(c *orchestrator.Config) *[]orchestrator.Agent { return &c.Agents },
		id:   func(a *orchestrator.Agent) string { return string(a.ID) },
	},
	objects[orchestrator.Hours]{
		kind: orchestrator.KindHours,
		list: func(c *orchestrator.Config) *[]orchestrator.Hours { return &c.Hours },
		id:   func(h *orchestrator.Hours) string { return string(h.ID) },
	},
	objects[orchestrator.Queue]{
		kind:    orchestrator.KindQueue,
		list:    func(c *orchestrator.Config) *[]orchestrator.Queue { return &c.Queues },
		id:      func(q *orchestrator.Queue) string { return string(q.ID) },
		version: func(q *orchestrator.Queue) *uint64 { return &q.Version },
	},
	objects[orchestrator.Flow]{
		kind:    orchestrator.KindFlow,
		list:    func(c *orchestrator.Config) *[]orchestrator.Flow { return &c.Flows },
		id:      func(f *orchestrator.Flow) string { return string(f.ID) },
		version: func(f *orchestrator.Flow) *uint64 { return &f.Version },
	},
	objects[orchestrator.Number]{
		kind: orchestrator.KindNumber,
		list: func(c *orchestrator.Config) *[]orchestrator.Number { return &c.Numbers },
		id:   func(n *orchestrator.Number) string { return n.Dialled },
		free: true,
	},
}

func (k objects[T]) name() orchestrator.Kind { return k.kind }

func (k objects[T]) holds(c *orchestrator.Config, id string) bool {
	for i := range *k.list(c) {
		if id == "" || k.id(&(*k.list(c))[i]) == id {
			return true
		}
	}
	return false
}

func (k objects[T]) load(e *edit, into *orchestrator.Config) error {
	var rows []objectRow
	if err := e.table(k.kind).Order("id").Find(&rows).Error; err != nil {
		return err
	}
	out := k.list(into)
	for _, r := range rows {
		object, err := k.decode(r)
		if err != nil {
			return err
		}
		*out = append(*out, object)
	}
	return nil
}

func (k objects[T]) put(e *edit, from *orchestrator.Config) error {
	wanted := *k.list(from)
	if len(wanted) == 0 {
		return nil
	}
	stored, err := k.stored(e, wanted)
	if err != nil {
		return err
	}
	rows := make([]objectRow, 0, len(wanted))
	for _, object := range wanted {
		definition, err := k.encode(object)
		if err != nil {
			return err
		}
		id := k.id(&object)
		if bytes.Equal(stored[id], definition) {
			continue
		}
		k.stampVersion(&object, e.version)
		rows = append(rows, objectRow{string(e.tenant), id, e.version, cleanJSON(definition)})
		changed := k.list(e.changed)
		*changed = append(*changed, object)
	}
	if len(rows) == 0 {
		return nil
	}
	return kindTable(e.tx, k.kind).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "tenant_id"}, {Name: "id"}},
		DoUpdates: clause.AssignmentColumns([]string{"version", "definition"}),
	}).CreateInBatches(&rows, batchRows).Error
}

// stored is the present definitions of the wanted objects, by id, encoded the
// way encode does: jsonb remembers neither the order nor the spacing of what it
// was given.
func (k objects[T]) stored(e *edit, wanted []T) (map[string][]byte, error) {
	ids := make(list, 0, len(wanted))
	seen := make(map[string]bool, len(wanted))
	for i := range wanted {
		id := k.id(&wanted[i])
		if err := k.checkID(id, i, seen[id]); err != nil {
			return nil, err
		}
		seen[id] = true
		ids = append(ids, id)
	}
	var rows []objectRow
	if err := e.table(k.kind).Where("id = ANY(?)", ids).Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(rows))
	for _, r := range rows {
		object, err := k.decode(r)
		if err != nil {
			return nil, err
		}
		if out[r.ID], err = k.encode(object); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// maxFreeID bounds ids that are not slugs: dialled numbers.
const maxFreeID = 128

func (k objects[T]) checkID(id string, place int, twice bool) error {
	field := fmt.Sprintf("%s[%d]", k.kind, place)
	switch {
	case twice:
		return &orchestrator.Error{Code: orchestrator.CodeInvalid, Field: field, Message: id + " is there twice"}
	case !k.free && !orchestrator.ValidSlug(id), k.free && (id == "" || len(id) > maxFreeID || clean(id) != id):
		return &orchestrator.Error{Code: orchestrator.CodeInvalid, Field: field, Message: "has no usable name"}
	}
	return nil
}

func (k objects[T]) decode(r objectRow) (T, error) {
	var object T
	if err := json.Unmarshal(r.Definition, &object); err != nil {
		return object, fmt.Errorf("read %s %s: %w", k.kind, r.ID, err)
	}
	k.stampVersion(&object, r.Version)
	return object, nil
}

// encode leaves the version out, which is the row's.
func (k objects[T]) encode(object T) ([]byte, error) {
	k.stampVersion(&object, 0)
	text, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", k.kind, k.id(&object), err)
	}
	return text, nil
}

func (k objects[T]) stampVersion(object *T, version uint64) {
	if k.version != nil {
		*k.version(object) = version
	}
}
