/*
 * example_schannel.h - what a server needs of SChannel before its first client: a
 * certificate made at the start
 *
 * A real server takes its certificate of a store (CertOpenStore()). Include example_net.h
 * before it.
 */
#ifndef EXAMPLE_SCHANNEL_H
#define EXAMPLE_SCHANNEL_H

#ifndef SECURITY_WIN32
#define SECURITY_WIN32 /* security.h wants to know for whom */
#endif
#include <wincrypt.h>
#include <security.h>
#include <schannel.h>
#include <string.h>
#ifdef _MSC_VER
#pragma comment(lib, "secur32.lib")
#pragma comment(lib, "crypt32.lib")
#pragma comment(lib, "advapi32.lib")
#endif

#ifndef SP_PROT_TLS1_2_SERVER
#define SP_PROT_TLS1_2_SERVER 0x00000400
#endif

static void tls_complain(const char *what, unsigned long status)
{
    fprintf(stderr, "%s: status 0x%08lx\n", what, status);
}

struct identity {
    char name[64]; /* of the key container */
    WCHAR wide_name[64];
    int has_container;
    PCCERT_CONTEXT certificate;
    CredHandle credentials;
};

/* SChannel works in a process of its own on Windows and finds the key by this name. */
static int make_key(struct identity *self, HCRYPTPROV *provider)
{
    HCRYPTKEY key;
    HCRYPTPROV gone;
    size_t i;

    sprintf(self->name, "graceful_close tls_schannel %lu", GetCurrentProcessId());
    for (i = 0; i <= strlen(self->name); i++)
        self->wide_name[i] = (WCHAR)self->name[i];
    /* of a process with the same number that was killed */
    CryptAcquireContextA(&gone, self->name, NULL, PROV_RSA_AES, CRYPT_DELETEKEYSET);
    if (!CryptAcquireContextA(provider, self->name, NULL, PROV_RSA_AES, CRYPT_NEWKEYSET))
        return -1;
    self->has_container = 1;
    if (!CryptGenKey(*provider, AT_KEYEXCHANGE, (DWORD)2048 << 16, &key))
        return -1;
    CryptDestroyKey(key);
    return 0;
}

/* Signed by itself: clients must be told not to verify it (curl -k). */
static int make_certificate(struct identity *self, HCRYPTPROV provider)
{
    CRYPT_ALGORITHM_IDENTIFIER algorithm;
    CRYPT_KEY_PROV_INFO key;
    CERT_NAME_BLOB subject;
    BYTE encoded[128];
    char sha256_rsa[] = szOID_RSA_SHA256RSA;

    subject.pbData = encoded;
    subject.cbData = sizeof(encoded);
    if (!CertStrToNameA(X509_ASN_ENCODING, "CN=localhost", CERT_X500_NAME_STR, NULL, encoded,
                        &subject.cbData, NULL))
        return -1;
    memset(&key, 0, sizeof(key));
    key.pwszContainerName = self->wide_name;
    key.dwProvType = PROV_RSA_AES;
    key.dwKeySpec = AT_KEYEXCHANGE;
    memset(&algorithm, 0, sizeof(algorithm));
    algorithm.pszObjId = sha256_rsa;
    self->certificate = CertCreateSelfSignCertificate(provider, &subject, 0, &key,
                                                      &algorithm, NULL, NULL, NULL);
    return self->certificate != NULL ? 0 : -1;
}

/* 0 is success. An error has been told. */
static int make_credentials(struct identity *self)
{
    char package[] = UNISP_NAME_A;
    SCHANNEL_CRED wanted;
    SECURITY_STATUS status;
    HCRYPTPROV provider = 0;
    int failed;

    memset(self, 0, sizeof(*self));
    SecInvalidateHandle(&self->credentials);
    failed = make_key(self, &provider) != 0 || make_certificate(self, provider) != 0;
    if (failed)
        tls_complain("no certificate can be made", GetLastError());
    if (provider != 0)
        CryptReleaseContext(provider, 0); /* Wine stores the key only now */
    if (failed)
        return -1;
    memset(&wanted, 0, sizeof(wanted));
    wanted.dwVersion = SCHANNEL_CRED_VERSION;
    wanted.cCreds = 1;
    wanted.paCred = &self->certificate;
    wanted.grbitEnabledProtocols = SP_PROT_TLS1_2_SERVER;
    status = AcquireCredentialsHandleA(NULL, package, SECPKG_CRED_INBOUND, NULL, &wanted, NULL,
                                       NULL, &self->credentials, NULL);
    if (status != SEC_E_OK)
        tls_complain("SChannel does not take the certificate", (unsigned long)status);
    return status == SEC_E_OK ? 0 : -1;
}

static void drop_credentials(struct identity *self)
{
    HCRYPTPROV gone;

    if (SecIsValidHandle(&self->credentials))
        FreeCredentialsHandle(&self->credentials);
    if (self->certificate != NULL)
        CertFreeCertificateContext(self->certificate);
    if (self->has_container)
        CryptAcquireContextA(&gone, self->name, NULL, PROV_RSA_AES, CRYPT_DELETEKEYSET);
}

#endif
