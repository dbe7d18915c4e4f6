package smartmeter

// Watermark says that every sample of a node's boot up to Seq is durable, or
// known to be lost for good.
type Watermark struct {
	Node    NodeID
	Channel uint8
	Boot    BootID
	Seq     uint32 // 0 if nothing is known of the boot
}
