package asterisk

import "testing"

// A whole StasisStart as Asterisk 22.10.1 sends it.
const stasisStart = `{"type":"StasisStart","timestamp":"2026-11-23T02:00:00.123+0000","args":["v1","in","100"],"channel":{"id":"1732327200.12","name":"PJSIP/1001-0000001a","state":"Ring","protocol_id":"abcdef@127.0.0.1","caller":{"name":"Müller","number":"4930123456"},"connected":{"name":"","number":""},"accountcode":"","dialplan":{"context":"rm-inbound","exten":"100","priority":1,"app_name":"Stasis","app_data":"rm,v1,in,100"},"creationtime":"2026-11-23T02:00:00.111+0000","language":"en","channelvars":{"RM":""}},"asterisk_id":"02:00:00:00:00:01","application":"rm"}`

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode([]byte(stasisStart)); err != nil {
			b.Fatal(err)
		}
	}
}
