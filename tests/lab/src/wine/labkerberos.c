/* A security package for a test's Windows, in front of Wine's own Kerberos. For tests alone; nothing of it is shipped.
 *
 * Wine 8 signs in with the tickets of the machine underneath, by the real libgssapi_krb5, but three things differ from
 * what Microsoft documents for this package, and a program that is written for Windows cannot seal with them:
 *   - EncryptMessage leaves the end of the wrapped buffer in the token, where Windows puts its beginning;
 *   - its cbSecurityTrailer is too small for AES;
 *   - DecryptMessage knows no SECBUFFER_STREAM.
 * All of it is put right here; every ticket, key and cipher stays Kerberos' own. Channel bindings, which Wine drops, are
 * checked for their form and left in C:\channel-bindings.
 */
#define SECURITY_WIN32
#include <windows.h>
#include <sspi.h>
#include <ntsecapi.h>
#include <ntsecpkg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef NTSTATUS(NTAPI *lsa_mode)(ULONG, PULONG, PSECPKG_FUNCTION_TABLE *, PULONG);
typedef NTSTATUS(NTAPI *user_mode)(ULONG, PULONG, PSECPKG_USER_FUNCTION_TABLE *, PULONG);

static SECPKG_FUNCTION_TABLE lsa, *wine_lsa;
static SECPKG_USER_FUNCTION_TABLE user, *wine_user;

/* RFC 4121 4.2.6.2: header, checksum of AES with SHA-1, and in a sealed buffer a confounder and a copy of the header. */
enum { HEADER = 16, CHECKSUM = 12, SEALED = HEADER + 16 + HEADER + CHECKSUM };

static SecBuffer *find(SecBufferDesc *message, ULONG type)
{
    for (ULONG i = 0; message && i < message->cBuffers; i++)
        if (message->pBuffers[i].BufferType == type) return &message->pBuffers[i];
    return NULL;
}

static NTSTATUS NTAPI seal(LSA_SEC_HANDLE context, ULONG protection, PSecBufferDesc message, ULONG number)
{
    SecBuffer *token = find(message, SECBUFFER_TOKEN), *data = find(message, SECBUFFER_DATA);
    SecBuffer *padding = find(message, SECBUFFER_PADDING);
    NTSTATUS status = wine_user->SealMessage(context, protection, message, number);
    if (status) return status;
    ULONG whole = data->cbBuffer + token->cbBuffer;
    BYTE *wrapped = malloc(whole);
    if (!wrapped) return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(wrapped, data->pvBuffer, data->cbBuffer);
    memcpy(wrapped + data->cbBuffer, token->pvBuffer, token->cbBuffer);
    memcpy(token->pvBuffer, wrapped, token->cbBuffer);
    memcpy(data->pvBuffer, wrapped + token->cbBuffer, data->cbBuffer);
    free(wrapped);
    if (padding) padding->cbBuffer = 0;
    return SEC_E_OK;
}

static NTSTATUS NTAPI unseal(LSA_SEC_HANDLE context, PSecBufferDesc message, ULONG number, ULONG *protection)
{
    SecBuffer *stream = find(message, SECBUFFER_STREAM), *data = find(message, SECBUFFER_DATA);
    if (!stream || !data || stream->cbBuffer < HEADER) return SEC_E_INVALID_TOKEN;
    BYTE *bytes = stream->pvBuffer;
    if (bytes[0] != 5 || bytes[1] != 4) return SEC_E_INVALID_TOKEN;
    ULONG extra = bytes[4] << 8 | bytes[5], around = (bytes[2] & 2 ? SEALED : HEADER) + extra;
    if (stream->cbBuffer < around) return SEC_E_INVALID_TOKEN;
    ULONG plain = stream->cbBuffer - around;
    /* Wine puts the two behind each other again, and the plain text over the first. */
    SecBuffer parts[2] = {{plain, SECBUFFER_DATA, bytes}, {around, SECBUFFER_TOKEN, bytes + plain}};
    SecBufferDesc described = {SECBUFFER_VERSION, 2, parts};
    NTSTATUS status = wine_user->UnsealMessage(context, &described, number, protection);
    if (status) return status;
    data->cbBuffer = plain;
    data->pvBuffer = bytes;
    return SEC_E_OK;
}

static NTSTATUS NTAPI attributes(LSA_SEC_HANDLE context, ULONG attribute, void *buffer)
{
    NTSTATUS status = wine_lsa->QueryContextAttributes(context, attribute, buffer);
    if (!status && attribute == SECPKG_ATTR_SIZES) ((SecPkgContext_Sizes *)buffer)->cbSecurityTrailer = SEALED;
    return status;
}

static NTSTATUS keep_bindings(const SecBuffer *buffer)
{
    const SEC_CHANNEL_BINDINGS *bindings = buffer->pvBuffer;
    if (buffer->cbBuffer < sizeof(*bindings) || bindings->dwApplicationDataOffset < sizeof(*bindings) ||
        bindings->dwApplicationDataOffset > buffer->cbBuffer ||
        bindings->cbApplicationDataLength > buffer->cbBuffer - bindings->dwApplicationDataOffset)
        return SEC_E_BAD_BINDINGS;
    FILE *file = fopen("C:\\channel-bindings", "wb");
    if (!file) return SEC_E_INTERNAL_ERROR;
    fwrite((const BYTE *)bindings + bindings->dwApplicationDataOffset, 1, bindings->cbApplicationDataLength, file);
    fclose(file);
    return SEC_E_OK;
}

static NTSTATUS NTAPI initialize(LSA_SEC_HANDLE credential, LSA_SEC_HANDLE context, PUNICODE_STRING target,
                                 ULONG wanted, ULONG representation, PSecBufferDesc input, PLSA_SEC_HANDLE made,
                                 PSecBufferDesc output, PULONG granted, PTimeStamp expiry, PBOOLEAN mapped,
                                 PSecBuffer data)
{
    SecBuffer *bindings = find(input, SECBUFFER_CHANNEL_BINDINGS);
    NTSTATUS status = bindings ? keep_bindings(bindings) : SEC_E_OK;
    if (status) return status;
    return wine_lsa->InitLsaModeContext(credential, context, target, wanted, representation, input, made, output,
                                        granted, expiry, mapped, data);
}

static FARPROC of_wine(const char *name)
{
    HMODULE library = LoadLibraryW(L"kerberos.dll");
    return library ? GetProcAddress(library, name) : NULL;
}

NTSTATUS NTAPI SpLsaModeInitialize(ULONG version, PULONG package_version, PSECPKG_FUNCTION_TABLE *table, PULONG count)
{
    lsa_mode wine = (lsa_mode)(void *)of_wine("SpLsaModeInitialize");
    NTSTATUS status = wine ? wine(version, package_version, &wine_lsa, count) : SEC_E_SECPKG_NOT_FOUND;
    if (status) return status;
    lsa = *wine_lsa;
    lsa.InitLsaModeContext = initialize;
    lsa.QueryContextAttributes = attributes;
    *table = &lsa;
    return status;
}

NTSTATUS NTAPI SpUserModeInitialize(ULONG version, PULONG package_version, PSECPKG_USER_FUNCTION_TABLE *table,
                                    PULONG count)
{
    user_mode wine = (user_mode)(void *)of_wine("SpUserModeInitialize");
    NTSTATUS status = wine ? wine(version, package_version, &wine_user, count) : SEC_E_SECPKG_NOT_FOUND;
    if (status) return status;
    user = *wine_user;
    user.SealMessage = seal;
    user.UnsealMessage = unseal;
    *table = &user;
    return status;
}
