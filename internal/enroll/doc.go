// Package enroll opens an engine's tcp port to Prewarm and to nobody else: it
// makes the certificates of both sides, and checks from here that the port is
// closed to all others.
//
// An engine with --tlsverify lets in whoever has a certificate that its
// --tlscacert signed, and looks at no name in it. With one authority for a whole
// fleet the key that opens one engine would open all. So there are two kinds of
// authority. One for the folder signs the engines' own certificates, by which
// Prewarm knows them. Another, one for each host, signs the certificates of that
// host's clients, and is all that its engine trusts.
//
//	DIR/ca.pem, ca-key.pem        who signs the engines' certificates
//	DIR/hosts/NAME/cert.pem       Prewarm's certificate for this host, and its
//	DIR/hosts/NAME/key.pem        key
//	DIR/hosts/NAME/clients-key.pem  who signs it; its certificate is engine/ca.pem
//	DIR/hosts/NAME/engine/        what goes to the host: ca.pem, server-cert.pem,
//	                              server-key.pem
//	DIR/old/NAME/                 what the last renewal took out of use
//
// A host's folder comes and goes in one step, so its certificates and keys belong
// together whenever somebody reads them.
package enroll
