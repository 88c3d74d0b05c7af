package postgres

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"gorm.io/gorm/clause"

	"ringmaster/orchestrator"
)

// argon2id with OWASP's second choice of parameters (Password Storage Cheat
// Sheet: 19 MiB, 2 passes, 1 lane), written into each hash so that they may
// change.
const (
	hashMemory = 19 * 1024 // KiB
	hashPasses = 2
	hashLanes  = 1
	hashBytes  = 32
	saltBytes  = 16
	// maxHashing bounds the memory that guessing PINs can take.
	maxHashing = 4
	hashPrefix = "$argon2id$v=19$m=19456,t=2,p=1$"
)

type pinRow struct {
	TenantID string `gorm:"primaryKey"`
	AgentID  string `gorm:"primaryKey"`
	Hash     string
}

func (pinRow) TableName() string { return "agent_pin" }

// SetPIN implements orchestrator.SecretStore.
func (s *Store) SetPIN(ctx context.Context, tenant orchestrator.TenantID, agent orchestrator.AgentID, pin string) error {
	did := "set pin of agent " + string(agent)
	if pin == "" {
		return translate(did, s.of(ctx, tenant).Where("agent_id = ?", string(agent)).Delete(&pinRow{}).Error)
	}
	if !validPIN(pin) {
		return &orchestrator.Error{Code: orchestrator.CodeInvalid, Field: "pin", Message: "must be 4 to 12 digits"}
	}
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails since Go 1.24
	sum, err := s.hash(ctx, pin, salt)
	if err != nil {
		return translate(did, err)
	}
	row := pinRow{TenantID: string(tenant), AgentID: string(agent), Hash: hashPrefix + encode(salt) + "$" + encode(sum)}
	return translate(did, s.db.WithContext(ctx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error)
}

// CheckPIN implements orchestrator.SecretStore. An agent without a PIN costs as
// much time as one with, so that guessing does not learn who has one.
func (s *Store) CheckPIN(ctx context.Context, tenant orchestrator.TenantID, agent orchestrator.AgentID, pin string) (bool, error) {
	did := "check pin of agent " + string(agent)
	var rows []pinRow
	if err := s.of(ctx, tenant).Where("agent_id = ?", string(agent)).Limit(1).Find(&rows).Error; err != nil {
		return false, translate(did, err)
	}
	salt, want := make([]byte, saltBytes), make([]byte, hashBytes)
	if len(rows) == 1 {
		var err error
		if salt, want, err = parseHash(rows[0].Hash); err != nil {
			return false, fmt.Errorf("%s: %w", did, err)
		}
	}
	sum, err := s.hash(ctx, pin, salt)
	if err != nil {
		return false, translate(did, err)
	}
	return subtle.ConstantTimeCompare(sum, want) == 1 && len(rows) == 1 && validPIN(pin), nil
}

// PINs implements orchestrator.SecretStore.
func (s *Store) PINs(ctx context.Context, tenant orchestrator.TenantID) ([]orchestrator.AgentID, error) {
	var rows []pinRow
	err := s.of(ctx, tenant).Select("agent_id").Order("agent_id").Find(&rows).Error
	agents := make([]orchestrator.AgentID, len(rows))
	for i, r := range rows {
		agents[i] = orchestrator.AgentID(r.AgentID)
	}
	return agents, translate("list pins", err)
}

func (s *Store) hash(ctx context.Context, pin string, salt []byte) ([]byte, error) {
	select {
	case s.hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.hashing }()
	return argon2.IDKey([]byte(pin), salt, hashPasses, hashMemory, hashLanes, hashBytes), nil
}

func validPIN(pin string) bool {
	if len(pin) < 4 || len(pin) > 12 {
		return false
	}
	for i := range len(pin) {
		if pin[i] < '0' || pin[i] > '9' {
			return false
		}
	}
	return true
}

func encode(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

func parseHash(text string) (salt, sum []byte, err error) {
	rest, ok := strings.CutPrefix(text, hashPrefix)
	first, second, both := strings.Cut(rest, "$")
	if !ok || !both {
		return nil, nil, errors.New("the stored hash has a form this program does not know")
	}
	if salt, err = base64.RawStdEncoding.DecodeString(first); err != nil {
		return nil, nil, fmt.Errorf("read salt: %w", err)
	}
	if sum, err = base64.RawStdEncoding.DecodeString(second); err != nil {
		return nil, nil, fmt.Errorf("read hash: %w", err)
	}
	return salt, sum, nil
}

type accessRow struct {
	TenantID string `gorm:"primaryKey"`
	SwitchID string `gorm:"primaryKey"`
	URL      string
	Username string
	Password string
}

func (accessRow) TableName() string { return "switch_access" }

// SetSwitchAccess implements orchestrator.SecretStore.
func (s *Store) SetSwitchAccess(
	ctx context.Context, tenant orchestrator.TenantID, id orchestrator.SwitchID, access orchestrator.SwitchAccess,
) error {
	row := accessRow{
		TenantID: string(tenant), SwitchID: string(id),
		URL: access.URL, Username: access.User, Password: access.Password,
	}
	err := s.db.WithContext(ctx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
	return translate("set access to switch "+string(id), err)
}

// SwitchAccess implements orchestrator.SecretStore.
func (s *Store) SwitchAccess(
	ctx context.Context, tenant orchestrator.TenantID, id orchestrator.SwitchID,
) (orchestrator.SwitchAccess, error) {
	var row accessRow
	err := s.of(ctx, tenant).Where("switch_id = ?", string(id)).Take(&row).Error
	return orchestrator.SwitchAccess{URL: row.URL, User: row.Username, Password: row.Password},
		translate("read access to switch "+string(id), err)
}
