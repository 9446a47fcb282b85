"""The peer that the delivery is compared with: django-post_office as its documentation sets it up."""
