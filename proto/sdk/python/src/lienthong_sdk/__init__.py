"""A client of the published services of lienthong: mutual TLS, deadlines, the published retries, refusals as
values, and receipts that can be checked.
"""
from lienthong_sdk.client import GET_PERSON, SUBMIT_CONTRIBUTION, VERIFY_CLAIMS, Answered, Client, Method
from lienthong_sdk.errors import DOMAIN, FieldFault, Refused, Rejection
from lienthong_sdk.receipt import ReceiptError, Record, verify

__all__ = [
    "DOMAIN",
    "GET_PERSON",
    "SUBMIT_CONTRIBUTION",
    "VERIFY_CLAIMS",
    "Answered",
    "Client",
    "FieldFault",
    "Method",
    "ReceiptError",
    "Record",
    "Refused",
    "Rejection",
    "verify",
]
